"""Runs the programs of tests/scripts and judges what arrived from them."""

from __future__ import annotations

import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from support.otlp import Log, Protocol, Receiver, Span
from support.programs import Command, Outcome, Program, script

Setup = Literal["configure", "by_hand", "own"]
"""Who sets OpenTelemetry up; tests/scripts/_setup.py says what each means."""

END_STATE = "agentops.session.end_state"
END_REASON = "agentops.session.end_reason"
EXIT_SIGNAL = "agentops.session.exit.signal"
SESSION_ID = "session.id"

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100"}
"""For programs from which spans have to arrive while they run; others show that the exit does not wait for this."""

ROOMY = {
    "OTEL_BSP_MAX_QUEUE_SIZE": "1000000",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4096",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "1000000",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "4096",
}
"""For programs with more sessions than the SDK keeps for export by default."""


@dataclass(frozen=True)
class End:
    """How a session ended, as its root span says."""

    state: str
    reason: str
    status: str = "UNSET"
    error_type: str | None = None
    exit_signal: str | None = None


COMPLETED = End("success", "completed")
CANCELLED = End("unknown", "cancelled")
GARBAGE_COLLECTED = End("unknown", "garbage_collected")
PROCESS_EXIT = End("unknown", "process_exit")
PROVIDER_SHUTDOWN = End("unknown", "provider_shutdown")
TIMEOUT = End("unknown", "timeout")


def failed(error_type: str) -> End:
    return End("error", "exception", "ERROR", error_type)


def signalled(number: signal.Signals) -> End:
    return End("unknown", "signal", exit_signal=number.name)


@dataclass(frozen=True)
class Death:
    """A program that has ended, and what arrived from it."""

    outcome: Outcome
    receiver: Receiver
    has_logs: bool = True

    @property
    def returncode(self) -> int:
        return self.outcome.returncode

    @property
    def stdout(self) -> str:
        return self.outcome.stdout

    @property
    def stderr(self) -> str:
        return self.outcome.stderr

    @cached_property
    def _traces(self) -> dict[str, list[Span]]:
        traces: dict[str, list[Span]] = defaultdict(list)
        for span in self.receiver.spans:
            traces[span.trace_id].append(span)
        return traces

    @cached_property
    def _events(self) -> dict[tuple[str, str | None], list[Log]]:
        events: dict[tuple[str, str | None], list[Log]] = defaultdict(list)
        for log in self.receiver.logs:
            events[log.event_name, log.trace_id].append(log)
        return events

    @property
    def quiet(self) -> tuple[int, str]:
        """Exit status and stderr, to compare with `(0, "")`."""
        return self.returncode, self.stderr

    def only_session(self, end: End, *, name: str = "agent", open_spans: Sequence[str] = ()) -> Span:
        """The one session that arrived; checks all that is promised for it.

        Args:
            end: How it must have ended.
            name: Its name.
            open_spans: The descendants that the end of the session must have ended, deepest first.
        """
        assert len(self.receiver.sessions()) == 1, self
        return self.session(end, name=name, open_spans=open_spans)

    def session(self, end: End, *, name: str = "agent", open_spans: Sequence[str] = ()) -> Span:
        """The one session of this name, checked."""
        self.check_all()
        root = self.span(f"session {name}")
        assert _end_of(root) == end, self
        assert [event.name for event in root.events] == (["exception"] if end.reason == "exception" else []), self
        marked = [s.name for s in self.inside(root) if s.attributes.get(END_REASON) == end.reason]
        assert marked == list(open_spans), self
        return root

    def check_all(self) -> None:
        """Checks what holds for every session and every span, however the program ended."""
        ids = [span.span_id for span in self.receiver.spans]
        assert len(ids) == len(set(ids)), f"a span arrived twice\n{self}"
        roots = self.receiver.sessions()
        session_traces = {root.trace_id for root in roots}
        assert len(session_traces) == len(roots), self
        for root in roots:
            self._check_session(root)
        for span in self.receiver.spans:
            is_inside = span.trace_id in session_traces
            assert is_inside or SESSION_ID not in span.attributes, f"{span.name!r} is in no session\n{self}"
        assert len(self.events("session.start")) == len(self.events("session.end")), self
        assert len(self.events("session.end")) == (len(roots) if self.has_logs else 0), self

    def _check_session(self, root: Span) -> None:
        assert root.parent_id is None, self
        assert root.name.startswith("session "), self
        assert root.kind == "INTERNAL", self
        assert root.start <= root.end, self
        assert root.scope_name == "agentops_otel", self
        assert {"code.file.path", "code.line.number", "code.function.name"} <= root.attributes.keys(), self
        spans = [*self.inside(root), root]
        assert {span.attributes.get(SESSION_ID) for span in spans} == {root.attributes[SESSION_ID]}, self
        arrival = {span.span_id: index for index, span in enumerate(spans)}
        for span in spans[:-1]:
            if span.attributes.get(END_REASON) == root.attributes[END_REASON]:
                assert span.end <= root.end, f"{span.name!r} ended after its session\n{self}"
                assert self._arrived_before_parent(span, arrival), f"{span.name!r} came after its parent\n{self}"
        if self.has_logs:
            self._check_events(root)

    def _arrived_before_parent(self, span: Span, arrival: Mapping[str, int]) -> bool:
        return span.parent_id is not None and arrival[span.span_id] < arrival[span.parent_id]

    def _check_events(self, root: Span) -> None:
        start, end = self.event("session.start", root), self.event("session.end", root)
        for event in (start, end):
            assert (event.attributes[SESSION_ID], event.span_id) == (root.attributes[SESSION_ID], root.span_id), self
        for name in (END_STATE, END_REASON, EXIT_SIGNAL):
            assert end.attributes.get(name) == root.attributes.get(name), self
        assert end.attributes["agentops.session.duration"] == (root.end - root.start) / 1e9, self

    def events(self, name: str) -> list[Log]:
        return [log for log in self.receiver.logs if log.event_name == name]

    def event(self, name: str, root: Span) -> Log:
        """The one log event of this name in a session."""
        found = self._events[name, root.trace_id]
        assert len(found) == 1, f"{name}: {len(found)} times\n{self}"
        return found[0]

    def span(self, name: str) -> Span:
        """The one span of this name."""
        found = [span for span in self.receiver.spans if span.name == name]
        assert len(found) == 1, f"{name!r}: {len(found)} times\n{self}"
        return found[0]

    def spans(self, name: str) -> list[Span]:
        return [span for span in self.receiver.spans if span.name == name]

    def inside(self, root: Span) -> list[Span]:
        """The descendants of a root, in the order of arrival."""
        return [span for span in self._traces[root.trace_id] if span.span_id != root.span_id]

    def is_alone(self, name: str) -> bool:
        """Whether the span of this name is a trace of its own that belongs to no session."""
        span = self.span(name)
        return span.parent_id is None and not self.inside(span) and SESSION_ID not in span.attributes

    def has_traceback(self, last_line: str) -> bool:
        """Whether stderr has the traceback of an exception that nobody caught, and nothing else."""
        lines = self.stderr.splitlines()
        known = ("Traceback (most recent call last):", "During handling of", "asyncio.exceptions.CancelledError")
        rest = [line for line in lines if line and not line.startswith(("  ", *known))]
        return bool(lines) and lines[0] == known[0] and rest == [last_line]

    def __str__(self) -> str:
        return f"{self.outcome}\n{self.receiver}"


def _end_of(root: Span) -> End:
    attributes = root.attributes
    return End(
        attributes[END_STATE],
        attributes[END_REASON],
        root.status,
        attributes.get("error.type"),
        attributes.get(EXIT_SIGNAL),
    )


class Deaths:
    """Runs programs against a receiver."""

    def __init__(self, receiver: Receiver, journal: Path) -> None:
        self.receiver = receiver
        self.journal = journal
        """The directory of the programs' journals."""

    @contextmanager
    def start(
        self,
        name: str,
        *arguments: str,
        setup: Setup = "configure",
        protocol: Protocol = "http/protobuf",
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> Iterator[Program]:
        """Starts tests/scripts/<name>.py; `before` is what stands before it on the command line."""
        # The programs find their set-up beside them. A fork is what they are about: no warning of it.
        ours = {"PYTHONSAFEPATH": "", "PYTHONWARNINGS": "ignore::DeprecationWarning", "AGENTOPS_TEST_SETUP": setup}
        ours["OTEL_PYTHON_AGENTOPS_JOURNAL"] = str(self.journal)
        environment = self.receiver.environment(protocol) | ours | dict(env or {})
        words: Command = [*before, *([sys.executable] if before else []), script(name), *arguments]
        with Program.start(words, env=environment) as program:
            yield program

    def run(
        self,
        name: str,
        *arguments: str,
        setup: Setup = "configure",
        protocol: Protocol = "http/protobuf",
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        send: signal.Signals | None = None,
        when: Callable[[Receiver], object] | None = None,
        timeout: float = 30,
    ) -> Death:
        """Runs a program to its end.

        Args:
            send: A signal to send as soon as it has written "ready".
            when: What has to arrive before, too.
        """
        with self.start(name, *arguments, setup=setup, protocol=protocol, env=env, before=before) as program:
            if send is not None:
                program.wait_for_line("ready")
                if when is not None:
                    self.receiver.wait_for(when)
                program.send(send)
            return Death(program.wait(timeout), self.receiver, has_logs=setup != "own")
