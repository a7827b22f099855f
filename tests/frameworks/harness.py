"""Programs of real agent frameworks, which know nothing of sessions, and what must have arrived of them.

A program is run as its user would run it, by `opentelemetry-instrument`, against a local model and an OTLP receiver.
A test module has a class that inherits the tests of `Scenarios`, and says in its `Framework` what is different.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import socket
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import ClassVar

import pytest
from llm_server import LLMServer
from llm_server.brain import Usage, count_tokens, think
from llm_server.server import FORMATS, Request
from support.otlp import Log, Receiver, Span
from support.programs import Outcome, Program

from agentops_otel import semconv

HERE = Path(__file__).parent
INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")

CITIES = ("Paris", "Lisbon", "Oslo")
CONVERSATION = "conversation-17"
"""As in lib/given.py, which the programs import: it is not on the path here."""

ANSWER = "people live in {}"
"""What the answer of a run must have in it."""

TIMEOUT = 90.0
"""Seconds that a program may take, in which it imports half a framework."""

SOON = 15.0
"""Seconds within which a stream that was left must be noticed, and exported."""

During = Callable[[Program, Receiver | None], None]
"""Sends a program its signals. Without a receiver nothing is expected to arrive."""

Ending = tuple[str, str]
"""End state and end reason."""

COMPLETED: Ending = ("success", "completed")
CANCELLED: Ending = ("unknown", "cancelled")
COLLECTED: Ending = ("unknown", "garbage_collected")
EXITED: Ending = ("unknown", "process_exit")
SIGNALLED: Ending = ("unknown", "signal")


@dataclass(frozen=True)
class Framework:
    """A framework, its program, and in what its runs differ from those of others.

    Attributes:
        name: The program is programs/<name>.py, with "_" for "-".
        ways: Further scenarios of its program that are one run like `one`: sync, async, streamed, ...
        conversations: Scenarios with two runs of one conversation.
        also: Variants of the other scenarios, which begin with the same words: "stream_left_async".
        conversation_id: What stands on every span of those; None: the framework has no such thing.
        stream_left: How a run may end whose stream was left while the process goes on.
        stream_left_exit: How a run may end whose stream was left at the end of the process.
        sys_exit: How a run may end whose tool exits. An event loop cancels all tasks when one of them does that.
        tools: How many calls of tools a run tells of.
        outside: Names of spans that are of no run: a framework may have some that it writes before.
        env: What its documents say that switches its own product telemetry off, and what else it must be told.
    """

    name: str
    ways: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ("conversation",)
    also: tuple[str, ...] = ()
    conversation_id: str | None = CONVERSATION
    stream_left: tuple[Ending, ...] = (CANCELLED, COLLECTED)
    stream_left_exit: tuple[Ending, ...] = (CANCELLED, COLLECTED, EXITED)
    sys_exit: tuple[Ending, ...] = (EXITED,)
    tools: int = 1
    outside: frozenset[str] = frozenset()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> Path:
        return HERE / "programs" / f"{self.name.replace('-', '_')}.py"

    def variants(self, scenario: str) -> tuple[str, ...]:
        """A scenario, and its variants."""
        return (scenario, *(name for name in self.also if next(filter(name.startswith, VARIED)) == scenario))


VARIED = ("stream_left_exit", "stream_left", "sys_exit", "sigterm", "three_at_once")
"""Scenarios that may have variants: one that begins like another one comes first."""


def installed(distribution: str) -> tuple[int, ...]:
    """The version of a distribution, as far as it is numbers."""
    parts = importlib.metadata.version(distribution).split(".")
    return tuple(int(part) for part in parts if part.isdecimal())


@dataclass(frozen=True)
class Run:
    """One run of an agent, which is one session: its root, and every span that says it belongs to it."""

    root: Span
    spans: tuple[Span, ...]

    @property
    def ending(self) -> Ending:
        return self.root.attributes[semconv.END_STATE], self.root.attributes[semconv.END_REASON]

    def total(self, name: str) -> int:
        """A total of the root, such as "usage.input_tokens"."""
        return int(self.root.attributes.get(f"agentops.session.{name}", 0))

    def conversation_ids(self) -> set[str | None]:
        return {span.attributes.get(semconv.GEN_AI_CONVERSATION_ID) for span in self.spans}

    def named(self, prefix: str) -> list[Span]:
        """Its spans whose names begin so."""
        return [span for span in self.spans if span.name.startswith(prefix)]


class Proxy:
    """Is asked for everything that is not on this machine, notes it, and hangs up."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True, name="proxy")

    def environment(self) -> dict[str, str]:
        """The variables that make a program ask here."""
        url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        both = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url, "NO_PROXY": "127.0.0.1,localhost"}
        return both | {name.lower(): value for name, value in both.items()}

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # it was closed
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                self.asked.append(connection.recv(4096).partition(b"\r\n")[0].decode("latin-1"))


@dataclass(frozen=True)
class Played:
    """A program that has ended, what it asked the model for, and what arrived of it."""

    framework: Framework
    scenario: str
    outcome: Outcome
    requests: tuple[Request, ...]
    spans: tuple[Span, ...]
    logs: tuple[Log, ...]
    strangers: tuple[str, ...]
    """Whom it asked, or wanted to ask, outside of this machine."""

    alone: Callable[[], str]
    """Runs the same program, instrumented, without sessions; what it writes to stderr."""

    @cached_property
    def runs(self) -> list[Run]:
        """The sessions, in the order in which they started."""
        roots = sorted((span for span in self.spans if semconv.END_STATE in span.attributes), key=lambda s: s.start)
        return [Run(root, self._spans_of(root)) for root in roots]

    def _spans_of(self, root: Span) -> tuple[Span, ...]:
        session_id = root.attributes.get(semconv.SESSION_ID)
        return tuple(span for span in self.spans if span.attributes.get(semconv.SESSION_ID) == session_id)

    def run(self) -> Run:
        """The one session."""
        assert len(self.runs) == 1, self
        return self.runs[0]

    def check(self, *, runs: int, ending: tuple[Ending, ...] = (COMPLETED,), returncode: int = 0) -> None:
        """Checks what holds for every program, however it ended: this many sessions, which ended so."""
        assert self.outcome.returncode == returncode, self
        assert len(self.runs) == runs, self
        for run in self.runs:
            assert run.ending in ending, self
            self._check_run(run)
        self._check_spans()
        self._check_events()
        self._check_output()
        assert self.strangers == (), self

    def _check_run(self, run: Run) -> None:
        assert run.root.attributes.get(semconv.SESSION_ID), self
        assert {span.trace_id for span in run.spans} == {run.root.trace_id}, self
        ids = {span.span_id for span in run.spans}
        tops = [span for span in run.spans if span.parent_id not in ids]
        assert tops == [run.root], f"a run has one root\n{self}"

    def _check_spans(self) -> None:
        ids = [span.span_id for span in self.spans]
        assert len(ids) == len(set(ids)), f"a span arrived twice\n{self}"
        known = set(ids)
        for span in self.spans:
            assert span.parent_id is None or span.parent_id in known, f"{span.name!r} is an orphan\n{self}"
            is_outside = span.name in self.framework.outside
            assert is_outside or semconv.SESSION_ID in span.attributes, f"{span.name!r} is of no session\n{self}"

    def _check_events(self) -> None:
        for name in ("session.start", "session.end"):
            told = Counter(log.attributes.get(semconv.SESSION_ID) for log in self.logs if log.event_name == name)
            assert told == Counter(run.root.attributes[semconv.SESSION_ID] for run in self.runs), (name, self)

    def _check_output(self) -> None:
        assert "failed while" not in self.outcome.stderr, self  # what shield.py says
        complaints = self.outcome.stderr.count("Failed to detach context")
        assert complaints == 0 or complaints <= self.alone().count("Failed to detach context"), self

    def check_counts(self) -> None:
        """Checks that the totals are what the model answered, each run with its own, and the calls of tools."""
        answered: dict[str, list[Usage]] = defaultdict(list)
        for request in self.requests:
            answered[city_of(request)].append(usage_of(request))
        expected = Counter(
            (len(usages), sum(usage.input for usage in usages), sum(usage.output for usage in usages))
            for usages in answered.values()
        )
        names = ("inference.calls", "usage.input_tokens", "usage.output_tokens")
        assert Counter(tuple(map(run.total, names)) for run in self.runs) == expected, self
        assert [run.total("tool.calls") for run in self.runs] == [self.framework.tools] * len(self.runs), self

    def __str__(self) -> str:
        lines = [f"{self.framework.name} {self.scenario}: {self.outcome.returncode}, asked {len(self.requests)} times"]
        lines += [f"asked outside: {stranger}" for stranger in self.strangers]
        lines += [f"span {s.trace_id[:6]} {s.span_id} < {s.parent_id} {s.name!r} {s.attributes}" for s in self.spans]
        lines += [f"log {log.event_name!r} {log.attributes}" for log in self.logs]
        return "\n".join([*lines, "--- stdout", self.outcome.stdout, "--- stderr", self.outcome.stderr])


def city_of(request: Request) -> str:
    """Which run a request is of: the city that it mentions last, because it may tell of the runs before."""
    text = json.dumps(request.body)
    return max(CITIES, key=text.rfind)


def usage_of(request: Request) -> Usage:
    """What the server says of its answer: the scripted model gives the same one every time."""
    endpoint = request.path.partition("?")[0].removeprefix("/v1")
    if endpoint == "/embeddings":
        return Usage(count_tokens(request.body["input"]), 0, 0, 0)
    options = request.body.get("stream_options") or {}
    if endpoint == "/chat/completions" and request.body.get("stream") and not options.get("include_usage"):
        return Usage(0, 0, 0, 0)  # then the server says nothing
    return think(FORMATS[endpoint].parse(request.body)).usage


class Stage:
    """Where programs of a framework are played."""

    def __init__(self, framework: Framework, directory: Path) -> None:
        self.framework = framework
        self._directory = directory

    def play(
        self,
        scenario: str,
        *,
        env: Mapping[str, str] | None = None,
        during: During | None = None,
    ) -> Played:
        """Runs a scenario of the program to its end.

        Args:
            scenario: Which.
            env: Variables on top of those that every program gets.
            during: Called while it runs: sends a signal when it is time.
        """
        asked = dict(env or {})

        def alone() -> str:
            disabled = ",".join(filter(None, ["agentops", asked.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")]))
            with self._running(scenario, asked | {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled}) as running:
                with suppress(AssertionError):  # alone some of them hang
                    running.to_the_end(during, expecting=False)
                return running.program.stderr

        with self._running(scenario, asked) as running:
            outcome = running.to_the_end(during)
            return Played(
                framework=self.framework,
                scenario=scenario,
                outcome=outcome,
                requests=tuple(running.server.requests),
                spans=tuple(running.receiver.spans),
                logs=tuple(running.receiver.logs),
                strangers=(*running.proxy.asked, *running.strangers()),
                alone=alone,
            )

    @contextmanager
    def _running(self, scenario: str, env: Mapping[str, str]) -> Iterator[_Running]:
        notes = self._directory / "strangers"
        notes.write_text("", encoding="utf-8")
        with Receiver() as receiver, LLMServer() as server, Proxy() as proxy:
            ours = {
                "PYTHONPATH": str(HERE / "lib"),
                "HOME": str(self._directory),
                "STRANGERS": str(notes),
                "OPENAI_BASE_URL": server.base_url,
                "OPENAI_API_KEY": "sk-none",
                "ANTHROPIC_BASE_URL": server.url,
                "ANTHROPIC_API_KEY": "none",
                "OTEL_BSP_SCHEDULE_DELAY": "200",
                "OTEL_BLRP_SCHEDULE_DELAY": "200",
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "",
            }
            environment = receiver.environment() | proxy.environment() | ours | {**self.framework.env, **env}
            words: list[str | Path] = [INSTRUMENT, sys.executable, self.framework.program, scenario]
            with Program.start(words, env=environment, cwd=self._directory) as program:
                yield _Running(program, receiver, server, proxy, notes)


@dataclass(frozen=True)
class _Running:
    program: Program
    receiver: Receiver
    server: LLMServer
    proxy: Proxy
    notes: Path

    def to_the_end(self, during: During | None, *, expecting: bool = True) -> Outcome:
        if during is not None:
            during(self.program, self.receiver if expecting else None)
        return self.program.wait(TIMEOUT if expecting else TIMEOUT / 3)

    def strangers(self) -> list[str]:
        return self.notes.read_text(encoding="utf-8").splitlines()


def terminate(program: Program, receiver: Receiver | None) -> None:
    """SIGTERM while a tool runs."""
    program.wait_for_line("waiting", TIMEOUT)
    program.send(signal.SIGTERM)


def watch_it_leave(program: Program, receiver: Receiver | None) -> None:
    """Its session must arrive while the program goes on."""
    program.wait_for_line("left", TIMEOUT)
    if receiver is not None:
        receiver.wait_for(lambda it: any(semconv.END_STATE in span.attributes for span in it.spans), SOON)
    program.send(signal.SIGUSR1)


class Scenarios:
    """What must be true of every framework; each scenario is a function of this name in its program."""

    framework: ClassVar[Framework]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for name in ("way", "conversation"):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, getattr(self.framework, f"{name}s"))
        for name in VARIED:
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, self.framework.variants(name))

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        # Not where it happens to be installed: what is installed beside it decides what arrives.
        if os.environ.get("AGENTOPS_TEST_FRAMEWORK") != self.framework.name:
            pytest.skip(f'needs an environment of its own: nox -s "frameworks({self.framework.name})"')
        return Stage(self.framework, tmp_path)

    def test_one_run_is_one_session(self, stage: Stage) -> None:
        self.check_one(stage.play("one"))

    def test_one_run_is_one_session_in_each_way(self, stage: Stage, way: str) -> None:
        self.check_one(stage.play(way))

    def test_two_runs_of_a_conversation(self, stage: Stage, conversation: str) -> None:
        played = stage.play(conversation)
        played.check(runs=2)
        self.check_counts(played)
        for run in played.runs:
            assert run.conversation_ids() == {self.framework.conversation_id}, played

    def test_a_stream_that_is_consumed(self, stage: Stage) -> None:
        self.check_one(stage.play("stream"))

    def test_a_stream_that_is_left_while_the_process_goes_on(self, stage: Stage, stream_left: str) -> None:
        played = stage.play(stream_left, during=watch_it_leave)
        played.check(runs=1, ending=self.framework.stream_left)

    def test_a_stream_that_is_left_at_the_end_of_the_process(self, stage: Stage, stream_left_exit: str) -> None:
        played = stage.play(stream_left_exit)
        played.check(runs=1, ending=self.framework.stream_left_exit)

    def test_sys_exit_in_a_tool(self, stage: Stage, sys_exit: str) -> None:
        stage.play(sys_exit).check(runs=1, ending=self.framework.sys_exit, returncode=3)

    def test_sigterm_in_a_tool(self, stage: Stage, sigterm: str) -> None:
        played = stage.play(sigterm, during=terminate)
        played.check(runs=1, ending=(SIGNALLED,), returncode=-signal.SIGTERM)
        assert played.run().root.attributes[semconv.EXIT_SIGNAL] == "SIGTERM", played

    def test_three_runs_at_once(self, stage: Stage, three_at_once: str) -> None:
        played = stage.play(three_at_once)
        played.check(runs=3)
        self.check_counts(played)

    def check_one(self, played: Played) -> None:
        """Checks a program of one run that ended well."""
        played.check(runs=1)
        self.check_counts(played)
        assert ANSWER.format(CITIES[0]) in played.outcome.stdout, played

    def check_counts(self, played: Played) -> None:
        """Checks the totals."""
        played.check_counts()
