"""The fixtures ``captured_sessions`` and ``session_clock`` of pytest.

Name it in the ``conftest.py`` at the root of your tests::

    pytest_plugins = ["agentops_otel.testing.plugin"]

There is no entry point that would load it by itself: pytest rewrites the assertions in all modules of a distribution
that has one, and then this package takes several times as long to import, also in test suites that never use the
fixtures.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from .capture import CapturedSessions, capture_sessions
from .fake_clock import SessionClock

_CAPTURED: pytest.StashKey[CapturedSessions] = pytest.StashKey()


@pytest.fixture
def captured_sessions(request: pytest.FixtureRequest) -> Iterator[CapturedSessions]:
    """What the sessions of this test write, instead of where they would: `capture_sessions`."""
    with capture_sessions() as captured:
        request.node.stash[_CAPTURED] = captured
        yield captured


@pytest.fixture
def session_clock(captured_sessions: CapturedSessions) -> SessionClock:
    """The time of this test's sessions, which stands still until the test advances it."""
    return captured_sessions.use_clock()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the sessions of a test that failed."""
    report = yield
    captured = item.stash.get(_CAPTURED, None)
    if captured is not None and report.when == "call" and report.failed:
        report.sections.append(("Captured sessions", str(captured)))
    return report
