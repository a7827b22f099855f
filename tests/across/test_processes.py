"""Processes and pools of processes that are given work in a session: it arrives as part of that session, once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.deaths import COMPLETED, END_REASON, PROCESS_EXIT, Death, Deaths, signalled
from support.otlp import Span

methods = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])

IDS = {"session.id": "s-1", "gen_ai.conversation.id": "c-1", "user.id": "u-1"}


def ids_of(span: Span) -> dict[str, str]:
    return {name: span.attributes[name] for name in IDS if name in span.attributes}


def check_inside(died: Death, *names: str, parent: str = "step") -> None:
    """These spans, and no others, are children of this span of the session."""
    root, above = died.session(COMPLETED), died.span(parent)
    assert sorted(span.name for span in died.inside(root) if span.parent_id == above.span_id) == sorted(names), died
    for span in died.inside(root):
        assert (span.trace_id, ids_of(span)) == (root.trace_id, IDS), died


class TestProcess:
    @methods
    @pytest.mark.parametrize("who", ["module", "target"])
    def test_works_in_the_session_it_was_started_in(self, deaths: Deaths, method: str, who: str) -> None:
        died = deaths.run("across_process", method, who, "returns")
        assert died.quiet == (0, "")
        assert died.stdout == "0\n"
        check_inside(died, "in the child")
        assert len(died.receiver.sessions()) == 1
        assert died.is_alone("after")

    @methods
    def test_may_be_of_a_subclass(self, deaths: Deaths, method: str) -> None:
        died = deaths.run("across_process", method, "module", "is_of_a_subclass")
        assert died.quiet == (0, "")
        check_inside(died, "in the child")

    @methods
    def test_may_start_another(self, deaths: Deaths, method: str) -> None:
        died = deaths.run("across_process", method, "module", "has_a_child")
        assert died.quiet == (0, "")
        check_inside(died, "in the child", "in the grandchild")

    @methods
    @pytest.mark.parametrize("who", ["module", "target"])
    def test_may_have_a_session_of_its_own(self, deaths: Deaths, method: str, who: str) -> None:
        died = deaths.run("across_process", method, who, "has_a_session")
        assert died.quiet == (0, "")
        child, step = died.session(COMPLETED, name="child"), died.span("step")
        assert [(link.trace_id, link.span_id) for link in child.links] == [(step.trace_id, step.span_id)]
        assert died.span("in its session").parent_id == child.span_id
        check_inside(died, "in the child")

    @methods
    def test_may_leave_a_span_open(self, deaths: Deaths, method: str) -> None:
        died = deaths.run("across_process", method, "module", "leaves_open")
        assert died.quiet == (0, "")
        check_inside(died, "in the child", "open")
        assert died.span("open").attributes[END_REASON] == PROCESS_EXIT.reason

    @methods
    def test_may_be_terminated(self, deaths: Deaths, method: str) -> None:
        died = deaths.run("across_process", method, "module", "is_terminated")
        assert died.quiet == (0, "")
        assert died.stdout == f"{-signal.SIGTERM}\n"
        check_inside(died, "in the child", "open")
        assert died.span("open").attributes[END_REASON] == signalled(signal.SIGTERM).reason

    @methods
    def test_may_fail(self, deaths: Deaths, method: str) -> None:
        died = deaths.run("across_process", method, "module", "raises")
        assert died.returncode == 0
        assert died.stdout == "1\n"
        assert died.stderr.endswith("\nValueError: boom\n"), died
        assert died.stderr.count("Traceback") == 1, died
        check_inside(died, "in the child")

    @pytest.mark.parametrize("method", ["spawn", "forkserver"])
    def test_may_have_no_sdk(self, deaths: Deaths, method: str) -> None:
        died = deaths.run("across_process", method, "nobody", "returns")
        assert died.quiet == (0, "")
        assert died.stdout == "0\n"
        check_inside(died)

    @methods
    def test_may_be_set_up_before_it_runs_any_of_the_program(self, deaths: Deaths, method: str, tmp_path: Path) -> None:
        # As `opentelemetry-instrument` does it.
        (tmp_path / "sitecustomize.py").write_text("import agentops_otel\nagentops_otel.configure()\n")
        path = os.pathsep.join([str(tmp_path), os.environ.get("AGENTOPS_TEST_PYTHONPATH", "")])
        died = deaths.run("across_process", method, "site", "leaves_open", env={"PYTHONPATH": path})
        assert died.quiet == (0, "")
        check_inside(died, "in the child", "open")


def test_what_cannot_be_pickled_fails_as_ever(deaths: Deaths) -> None:
    died = deaths.run("across_unpicklable")
    lines = died.stdout.splitlines()
    assert died.returncode == 0, died
    assert len(lines) == 16
    assert lines[8:] == lines[:8], died
    assert "nothing" not in lines


class TestPools:
    @methods
    @pytest.mark.parametrize(
        ("kind", "end"), [("Pool", "closed"), ("Pool", "terminated"), ("ProcessPoolExecutor", "closed")]
    )
    def test_work_in_the_session_that_gives_them_work(self, deaths: Deaths, kind: str, method: str, end: str) -> None:
        self.check(deaths.run("across_pool", kind, method, end), kind)

    def test_of_threads_do(self, deaths: Deaths) -> None:
        self.check(deaths.run("across_pool", "ThreadPool", "fork", "closed"), "ThreadPool")

    def check(self, died: Death, kind: str) -> None:
        assert died.quiet == (0, "")
        assert died.stdout == "boom\n"
        of_pool = ["apply", "apply_async", "map", "map_async", "starmap more", "starmap_async more"]
        of_pool += ["imap", "imap_unordered", "fail"]
        of_executor = ["submit", "map more", "fail"]
        check_inside(died, *(of_executor if kind == "ProcessPoolExecutor" else of_pool))
        other = died.session(COMPLETED, name="other")
        assert died.span("in the other").parent_id == other.span_id
        assert died.is_alone("after")
        assert len(died.receiver.sessions()) == 2
