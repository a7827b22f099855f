"""The pytest plugin, in test suites of its own: other processes."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


def run(pytester: pytest.Pytester, tests: str) -> pytest.RunResult:
    """Runs a test module with the plugin."""
    pytester.makeconftest('pytest_plugins = ["agentops_otel.testing.plugin"]')
    pytester.makepyfile(tests)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error")


def test_each_test_has_sessions_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import agentops_otel as ao, pytest
from agentops_otel.testing import assert_session
from opentelemetry import trace

tracer = trace.get_tracer("module")

@pytest.mark.parametrize("number", range(3))
def test_sessions(captured_sessions, number):
    with ao.session(f"{number}"), tracer.start_as_current_span("child"):
        pass
    session = assert_session(captured_sessions, name=f"{number}", state="success", spans=["child"])
    assert int(session.id, 16) == int(session.root.span_id, 16) == 1
    leave_open.append(ao.start_session())

leave_open = []

def test_time(session_clock, captured_sessions):
    session = ao.start_session(idle_timeout=60)
    session_clock.advance(61)
    assert captured_sessions.only().duration == 60

def test_without():
    assert not any(session.is_open for session in leave_open)
    with ao.session() as session:
        assert session.trace_id == "0" * 32
""",
    )
    result.assert_outcomes(passed=5)


def test_a_test_that_fails_shows_its_sessions(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import agentops_otel as ao
from agentops_otel.testing import assert_session

def test_that_fails(session_clock):
    with ao.session("research"):
        session_clock.advance(2)
    assert 1 == 2

def test_that_compares(captured_sessions):
    assert_session(captured_sessions, state="error")

def test_that_passes(captured_sessions):
    with ao.session("not shown"):
        pass
""",
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*def test_that_fails*",
            "*Captured sessions*",
            "session research  success/completed  2 s  id *1",
            "*Captured sessions*",
            "no session",
        ]
    )
    result.stdout.no_fnmatch_line("*not shown*")
    # Where it failed is a line of the test, not one of this package.
    compared = [">*assert_session(captured_sessions, state=*", "E*AssertionError: 0 sessions have ended"]
    result.stdout.fnmatch_lines(compared, consecutive=True)
