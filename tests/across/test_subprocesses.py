"""Programs that are started in a session belong to it, where this package is set up in them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from support import programs
from support.deaths import COMPLETED, SESSION_ID, Death, Deaths, Setup
from support.otlp import Receiver
from support.spans import Spans, in_use

import agentops_otel as ao
from agentops_otel.runtime import runtime

IDS = {"session.id": "s-1", "gen_ai.conversation.id": "c-1", "user.id": "u-1"}
ORIGINAL = vars(subprocess.Popen)["__init__"]
TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def check_inside(died: Death, *names: str) -> None:
    """These spans, and no others, are children of the span "step" of the session."""
    root, step = died.session(COMPLETED), died.span("step")
    assert sorted(span.name for span in died.inside(root) if span.parent_id == step.span_id) == sorted(names), died
    for span in died.inside(root):
        assert {name: span.attributes.get(name) for name in IDS} == IDS, died


class TestChild:
    @pytest.mark.parametrize("how", ["run", "shell", "by_position", "asyncio"])
    @pytest.mark.parametrize("env", ["inherited", "given", "of_bytes"])
    def test_works_in_the_session_it_was_started_in(self, deaths: Deaths, how: str, env: str) -> None:
        died = deaths.run("across_subprocess", how, env)
        assert died.quiet == (0, "")
        check_inside(died, "in the child")
        assert len(died.receiver.sessions()) == 1
        assert died.is_alone("after")

    @pytest.mark.parametrize("setup", ["by_hand", "own"])
    def test_joins_whoever_sets_up(self, deaths: Deaths, setup: Setup) -> None:
        # With a provider that nobody tells of sessions, the first session is what sets up.
        died = deaths.run("across_subprocess", "run", "inherited", "has_a_session", setup=setup)
        assert died.quiet == (0, "")
        child = died.session(COMPLETED, name="child")
        assert [link.trace_id for link in child.links] == [died.session(COMPLETED).trace_id]

    def test_may_start_another(self, deaths: Deaths) -> None:
        died = deaths.run("across_subprocess", "run", "inherited", "has_a_child")
        assert died.quiet == (0, "")
        check_inside(died, "in the child", "in the grandchild")

    def test_may_have_a_session_of_its_own(self, deaths: Deaths) -> None:
        died = deaths.run("across_subprocess", "run", "inherited", "has_a_session")
        assert died.quiet == (0, "")
        child, step = died.session(COMPLETED, name="child"), died.span("step")
        assert [(link.trace_id, link.span_id) for link in child.links] == [(step.trace_id, step.span_id)]
        assert child.attributes[SESSION_ID] != "s-1"
        inner = died.span("in its session")
        assert inner.parent_id == child.span_id
        # What it starts there belongs to its session, and has nothing of the outer one.
        of_its = died.span("of its session")
        assert of_its.parent_id == inner.span_id
        assert of_its.attributes == {SESSION_ID: child.attributes[SESSION_ID]}
        check_inside(died, "in the child")

    def test_may_know_nothing_of_sessions(self, deaths: Deaths) -> None:
        died = deaths.run("across_subprocess", "run", "inherited", "is_not_set_up")
        assert died.quiet == (0, "")
        check_inside(died)

    def test_may_be_told_by_the_caller_what_it_is_a_part_of(self, deaths: Deaths) -> None:
        died = deaths.run("across_subprocess", "run", "with_its_own")
        assert died.quiet == (0, "")
        check_inside(died)
        assert died.is_alone("in the child")

    def test_that_is_not_there_fails_as_ever(self, deaths: Deaths) -> None:
        died = deaths.run("across_subprocess", "fails", "inherited")
        assert died.quiet == (0, "")
        assert died.stdout == "/does/not/exist\n"


PROGRAM = """
import agentops_otel as ao
from opentelemetry import trace
ao.configure()
session = ao.current_session()
with trace.get_tracer("tests").start_as_current_span("work"):
    print(session and session.id)
"""


SET_UP_IN_A_SPAN = """
import agentops_otel as ao
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("tests").start_as_current_span("request") as request:
    with ao.session():
        pass
    print(trace.get_current_span() is request)
"""


class TestEnvironment:
    """What a program makes of what its environment says."""

    def run(self, receiver: Receiver, **variables: str) -> programs.Outcome:
        return programs.run(["-c", PROGRAM], receiver.environment() | variables)

    def test_that_names_a_session_is_joined(self, receiver: Receiver) -> None:
        outcome = self.run(receiver, TRACEPARENT=TRACEPARENT, BAGGAGE="session.id=s-1,user.id=u-1", TRACESTATE="a=1")
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "s-1\n", "")
        [span] = receiver.spans
        assert (span.trace_id, span.parent_id, span.trace_state) == ("a" * 32, "b" * 16, "a=1")
        assert span.attributes == {"session.id": "s-1", "user.id": "u-1"}

    @pytest.mark.parametrize(
        "variables",
        [
            {"TRACEPARENT": TRACEPARENT},
            {"TRACEPARENT": TRACEPARENT, "BAGGAGE": "name=value"},
            {"TRACEPARENT": TRACEPARENT, "BAGGAGE": "session.id="},
            {"TRACEPARENT": TRACEPARENT, "BAGGAGE": "session.id=" + "x" * 300},
            {"TRACEPARENT": TRACEPARENT, "BAGGAGE": "session.id=a%0Ab"},
            {"TRACEPARENT": "", "BAGGAGE": ""},
            {"TRACEPARENT": TRACEPARENT, "BAGGAGE": "session.id=\udcff"},
            {"OTEL_PYTHON_AGENTOPS_PROPAGATION": "false", "TRACEPARENT": TRACEPARENT, "BAGGAGE": "session.id=s-1"},
        ],
    )
    def test_that_names_none_has_no_effect(self, receiver: Receiver, variables: dict[str, str]) -> None:
        outcome = self.run(receiver, **variables)
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "None\n", "")
        [span] = receiver.spans
        assert (span.parent_id, span.attributes) == (None, {})

    def test_does_not_outdo_what_is_current(self, receiver: Receiver) -> None:
        variables = receiver.environment() | {"TRACEPARENT": TRACEPARENT, "BAGGAGE": "session.id=s-1"}
        outcome = programs.run(["-c", SET_UP_IN_A_SPAN], variables)
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "True\n", "")


def test_what_an_environment_has_inherited_is_not_its_own(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os; print(os.environ['TRACEPARENT'], os.environ.get('TRACESTATE'))"
    command = [sys.executable, "-c", code]
    monkeypatch.setenv("TRACEPARENT", TRACEPARENT)
    monkeypatch.setenv("TRACESTATE", "a=1")
    with ao.session() as session:
        environments: list[Any] = [None, {}, os.environ, dict(os.environ), dict(os.environb)]
        for env in environments:
            said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
            assert said.startswith(f"00-{session.trace_id}-")
            assert said.endswith(" None\n")
        own = {**os.environ, "TRACESTATE": "b=2"}
        said = subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout
        assert said == f"{TRACEPARENT} b=2\n"


class TestSwitch:
    def test_gives_the_original_back(self) -> None:
        assert vars(subprocess.Popen)["__init__"] is ORIGINAL
        with in_use(Spans()):
            assert vars(subprocess.Popen)["__init__"] is not ORIGINAL
            ao.configure(propagation=False)
            assert vars(subprocess.Popen)["__init__"] is ORIGINAL
            ao.configure(propagation=True)
            runtime.release()
            assert vars(subprocess.Popen)["__init__"] is ORIGINAL

    def test_off_means_that_the_environment_is_as_it_was(self, spans: Spans) -> None:
        command = [sys.executable, "-c", "import os; print('TRACEPARENT' in os.environ, 'BAGGAGE' in os.environ)"]
        with ao.session():
            assert subprocess.run(command, capture_output=True, text=True).stdout == "True True\n"
            ao.configure(propagation=False)
            assert subprocess.run(command, capture_output=True, text=True).stdout == "False False\n"
        ao.configure(propagation=True)
        assert subprocess.run(command, capture_output=True, text=True).stdout == "False False\n"
