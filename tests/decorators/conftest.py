"""What these tests have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentops_otel.config import RUNS
from agentops_otel.runtime import runtime


@pytest.fixture(autouse=True)
def _not_adopted() -> Iterator[None]:
    """The outermost agent would be a session, which says more on its span, and goes along into threads."""
    runtime.set(adopted=frozenset())
    yield
    runtime.set(adopted=RUNS)
