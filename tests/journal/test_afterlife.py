"""The journal as a whole, in real programs."""

from __future__ import annotations

import os

import pytest
from support.deaths import COMPLETED, Deaths, Setup


@pytest.mark.parametrize("setup", ["configure", "by_hand", "own"])
def test_a_journal_may_be_switched_off_and_on(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("journal_switched", str(deaths.journal), setup=setup)
    assert died.quiet == (0, "")
    for name in ("before", "queued", "without", "with"):
        died.session(COMPLETED, name=name)
    assert os.listdir(deaths.journal) == []


def test_a_program_that_ends_well_leaves_nothing_behind(deaths: Deaths) -> None:
    deaths.run("nested").check_all()
    assert os.listdir(deaths.journal) == []
