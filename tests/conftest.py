"""Fixtures that many tests use."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support import collectors
from support.collectors import Collector
from support.deaths import Deaths
from support.otlp import Receiver
from support.spans import Spans, in_use

from agentops_otel import shield

pytest_plugins = ["agentops_otel.testing.plugin"]

# A shell starts what it runs in the background with these ignored, and every program would inherit that.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)

# No deadlines: a slow machine is no mistake. No files beside the tests.
settings.register_profile("tests", deadline=None, database=None)
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _mistakes_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package keeps its own mistakes away from programs; here they must be seen."""
    monkeypatch.setattr(shield, "reraise", True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """More than there are processors: much of the time, tests wait for the programs that they start."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports go from process to process, and what hostile input left on the log cannot always be encoded."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture
def spans() -> Iterator[Spans]:
    """What sessions write in this test, and nowhere else; none of them may be left open."""
    with in_use(Spans()) as spans:
        yield spans


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A fresh OTLP receiver."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def deaths(receiver: Receiver, tmp_path: Path) -> Deaths:
    """Runs the programs of tests/scripts against `receiver`."""
    return Deaths(receiver, tmp_path / "journal")


@pytest.fixture
def rotel(receiver: Receiver) -> Iterator[Collector]:
    """The Rotel collector, in front of `receiver`."""
    with collectors.rotel(receiver) as collector:
        yield collector


@pytest.fixture
def otelcol(receiver: Receiver) -> Iterator[Collector]:
    """The official Collector, in front of `receiver`."""
    binary = collectors.otelcol_binary()
    if binary is None:
        pytest.skip("needs the official Collector: nox -s collector")
    with collectors.otelcol(binary, receiver) as collector:
        yield collector


@pytest.fixture(params=["rotel", pytest.param("otelcol", marks=pytest.mark.collector)])
def collector(request: pytest.FixtureRequest) -> Collector:
    """Each of the collectors, in front of `receiver`."""
    fixture: Collector = request.getfixturevalue(request.param)
    return fixture
