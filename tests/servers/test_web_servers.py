"""Handlers of FastAPI as sessions by the environment alone: real servers, started as they are in production."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest
from support.deaths import CANCELLED, COMPLETED, END_STATE, SESSION_ID, Death, End
from support.otlp import Receiver, Span
from support.ports import free_port
from support.programs import Program, script
from support.spans import poll

for module in ("fastapi", "uvicorn", "gunicorn", "uvicorn_worker"):
    pytest.importorskip(module)

SESSIONS = "server_app:coroutine, server_app:function, server_app:tokens"
BIN = Path(sys.executable).parent
STARTED_BY: dict[str, list[str | Path]] = {
    "opentelemetry-instrument": [BIN / "opentelemetry-instrument"],
    "agentops-otel": [BIN / "agentops-otel", "run", "--"],
}
UVICORN = ["-m", "uvicorn", "server_app:app", "--no-access-log", "--port"]
# So long uvicorn waits for a sign of life of a worker, also of one that dies meanwhile, and hears of no signal: not as
# long as we wait for it.
WORKERS = ["--workers", "2", "--timeout-worker-healthcheck", "20"]
GUNICORN = ["-m", "gunicorn", "server_app:app", "-w", "2", "-k", "uvicorn_worker.UvicornWorker", "--bind"]

each_server = pytest.mark.parametrize("server", ["uvicorn", "uvicorn workers", "gunicorn"])
each_handler = pytest.mark.parametrize(
    ("path", "session"), [("coroutine", "coroutine"), ("function", "function"), ("stream", "tokens")]
)


class Server:
    """A running server, and what it was asked."""

    def __init__(self, program: Program, port: int, gate: Path, clients: ThreadPoolExecutor) -> None:
        self.program = program
        self.gate = gate
        self._url = f"http://127.0.0.1:{port}"
        self._clients = clients

    def post(self, path: str, text: str) -> Future[str]:
        """Sends a request; its answer is its own text."""
        return self._clients.submit(self._request, path, json.dumps({"text": text}).encode())

    def is_up(self) -> bool:
        assert self.program.process.poll() is None, self.program.stderr
        try:
            return bool(self._request("ready"))
        except (URLError, ConnectionError):
            return False

    def working(self) -> int:
        """How many requests have come to their middle."""
        return self.program.stdout.count("working")  # threads may write at the same time

    def let_go(self) -> None:
        """Lets them go on, and those that come."""
        self.gate.touch()

    def _request(self, path: str, body: bytes | None = None) -> str:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        request = urllib.request.Request(f"{self._url}/{path}", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.loads(answer.read()))


class Servers:
    """Starts servers that export to a receiver."""

    def __init__(self, receiver: Receiver, gate: Path) -> None:
        self._receiver = receiver
        self._gate = gate

    @contextmanager
    def start(self, server: str, *options: str, by: str = "opentelemetry-instrument", **env: str) -> Iterator[Server]:
        port = free_port()
        command = [*GUNICORN, f"127.0.0.1:{port}"] if server == "gunicorn" else [*UVICORN, str(port)]
        command += WORKERS if server == "uvicorn workers" else []
        paths = [str(script("server_app").parent), *filter(None, [os.environ.get("AGENTOPS_TEST_PYTHONPATH")])]
        ours = {
            "AGENTOPS_TEST_GATE": str(self._gate),
            "OTEL_PYTHON_AGENTOPS_SESSIONS": SESSIONS,
            "PYTHONPATH": os.pathsep.join(paths),
        }
        words = [*STARTED_BY[by], sys.executable, *command, *options]
        with (
            Program.start(words, env=self._receiver.environment() | ours | env, cwd=self._gate.parent) as program,
            ThreadPoolExecutor(8) as clients,
        ):
            started = Server(program, port, self._gate, clients)
            try:
                poll(started.is_up, 60)
                yield started
            finally:
                program.kill()  # requests that are still open end with it

    def stop(self, server: Server) -> Death:
        """Stops it as a supervisor of services does, and waits for its end."""
        server.program.send(signal.SIGTERM)
        return self.ended(server)

    def ended(self, server: Server) -> Death:
        return Death(server.program.wait(60), self._receiver)


@pytest.fixture
def servers(receiver: Receiver, tmp_path: Path) -> Servers:
    return Servers(receiver, tmp_path / "gate")


def check(died: Death, expected: dict[str, tuple[str, End]]) -> None:
    """Checks that there is one session for each of these requests, with its span in it, and nothing else.

    `expected`: name and end of each session by the name of its span.
    """
    died.check_all()
    found = {}
    for root in died.receiver.sessions():
        [inside] = died.inside(root)
        assert inside.parent_id == root.span_id
        found[inside.name] = root.name, *end_of(root)
    assert found == {text: (f"session {name}", end.state, end.reason) for text, (name, end) in expected.items()}, died


def end_of(root: Span) -> tuple[str, str]:
    return root.attributes["agentops.session.end_state"], root.attributes["agentops.session.end_reason"]


def stop_in_the_middle(server: Server, requests: dict[str, str]) -> list[Future[str]]:
    """Sends SIGTERM to a server while these requests, paths by text, are in their middle."""
    answers = [server.post(path, text) for text, path in requests.items()]
    poll(lambda: server.working() == len(requests), 60)
    server.program.send(signal.SIGTERM)
    poll(lambda: "Shutting down" in server.program.stderr, 60)
    return answers


@each_server
@each_handler
def test_what_a_stopped_server_finishes_is_completed(servers: Servers, server: str, path: str, session: str) -> None:
    texts = ["a", "b", "c"]
    with servers.start(server) as running:
        answers = stop_in_the_middle(running, dict.fromkeys(texts, path))
        running.let_go()
        assert [answer.result() for answer in answers] == texts
        died = servers.ended(running)
    assert died.returncode == (-signal.SIGTERM if server == "uvicorn" else 0)
    check(died, dict.fromkeys(texts, (session, COMPLETED)))


@each_server
def test_a_supervised_server_loses_nothing_either(servers: Servers, server: str) -> None:
    pytest.importorskip("click")
    with servers.start(server, by="agentops-otel") as running:
        [answer] = stop_in_the_middle(running, {"a": "coroutine"})
        running.let_go()
        assert answer.result() == "a"
        died = servers.ended(running)
    assert died.returncode == (-signal.SIGTERM if server == "uvicorn" else 0)
    check(died, {"a": ("coroutine", COMPLETED)})


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn workers"])
def test_what_a_stopped_server_gives_up_is_cancelled(servers: Servers, server: str) -> None:
    with servers.start(server, "--timeout-graceful-shutdown", "1") as running:
        stop_in_the_middle(running, {"a": "coroutine", "b": "coroutine"})
        died = servers.ended(running)
    check(died, dict.fromkeys("ab", ("coroutine", CANCELLED)))


def test_the_session_of_a_worker_that_is_killed_arrives_from_its_journal(servers: Servers, tmp_path: Path) -> None:
    pytest.importorskip("click")
    journal = {"OTEL_PYTHON_AGENTOPS_JOURNAL": str(tmp_path / "journal")}
    with servers.start("gunicorn", "--graceful-timeout", "1", by="agentops-otel", **journal) as running:
        stop_in_the_middle(running, {"a": "coroutine"})
        died = servers.ended(running)
    [root] = died.receiver.sessions()
    assert end_of(root) == ("unknown", "process_lost")
    assert [span.name for span in died.inside(root)] == ["a"]


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["", "preload"])
def test_a_worker_that_takes_the_place_of_a_killed_one_recovers_its_session(
    servers: Servers, receiver: Receiver, tmp_path: Path, options: list[str]
) -> None:
    """Before anybody asks it anything."""
    journal = {"OTEL_PYTHON_AGENTOPS_JOURNAL": str(tmp_path / "journal"), "OTEL_LOGS_EXPORTER": "none"}
    with servers.start("gunicorn", *options, **journal) as running:
        answer = running.post("coroutine", "a")
        poll(lambda: running.working() == 1, 60)
        os.kill(int(running.program.stdout.split("working")[1]), signal.SIGKILL)
        assert answer.exception() is not None
        receiver.wait_for(lambda there: there.sessions())
        servers.stop(running)
    [root] = receiver.sessions()
    assert end_of(root) == ("unknown", "process_lost")
    assert [span.name for span in receiver.spans] == ["a", "session coroutine"]


@pytest.mark.parametrize(
    ("server", "option"),
    [("uvicorn", "--limit-max-requests"), ("uvicorn workers", "--limit-max-requests"), ("gunicorn", "--max-requests")],
)
def test_workers_that_are_recycled_lose_nothing(servers: Servers, server: str, option: str) -> None:
    with servers.start(server, option, "3") as running:
        running.let_go()
        asked: list[str] = []
        answered: list[str] = []

        def is_recycled() -> bool:
            """Asks once more. A worker that is about to end may leave a request unanswered; that is its business."""
            asked.append(str(len(asked)))
            if running.post(("coroutine", "function")[len(asked) % 2], asked[-1]).exception() is None:
                answered.append(asked[-1])
            processes = set(running.program.stdout.splitlines())
            return len(processes) > 1 or running.program.process.poll() is not None

        poll(is_recycled, 60)
        died = servers.ended(running) if server == "uvicorn" else servers.stop(running)
    died.check_all()
    assert len(answered) >= 2, died
    assert {end_of(root) for root in died.receiver.sessions()} == {("success", "completed")}
    inside = [span.name for root in died.receiver.sessions() for span in died.inside(root)]
    assert len(inside) == len(set(inside)) == running.working(), died
    assert set(answered) <= set(inside) <= set(asked)


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_runs_of_agents_in_a_request_are_sessions_below_its_span(servers: Servers, is_cut_off: bool) -> None:
    pytest.importorskip("opentelemetry.instrumentation.fastapi")
    env = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "anthropic,openai", "OTEL_PYTHON_AGENTOPS_SESSIONS": ""}
    with servers.start("uvicorn", "--timeout-graceful-shutdown", "1", **env) as running:
        if is_cut_off:
            asked = running.post("agents", "a")
            poll(lambda: running.working() == 1, 60)
        else:
            running.let_go()
            assert running.post("agents", "a").result() == "a"
        died = servers.stop(running)
    if is_cut_off:
        assert asked.exception() is not None
    request = died.span("POST /agents")
    assert SESSION_ID not in request.attributes
    ended = [("unknown", "cancelled")] if is_cut_off else [("success", "completed")] * 2
    roots = [span for span in died.receiver.spans if END_STATE in span.attributes]
    assert [root.name for root in roots] == ["invoke_agent a1", "invoke_agent a2"][: len(ended)]
    assert [end_of(root) for root in roots] == ended
    assert len({root.attributes[SESSION_ID] for root in roots}) == len(roots)
    for root in roots:
        assert (root.trace_id, root.parent_id) == (request.trace_id, request.span_id)
        step = died.span(root.name.removeprefix("invoke_agent "))
        assert (step.parent_id, step.attributes[SESSION_ID]) == (root.span_id, root.attributes[SESSION_ID])
    events = [(log.event_name, log.span_id) for log in died.receiver.logs]
    assert sorted(events) == sorted((f"session.{what}", root.span_id) for root in roots for what in ("start", "end"))


def test_the_session_of_a_handler_is_linked_to_the_span_of_its_request(servers: Servers) -> None:
    pytest.importorskip("opentelemetry.instrumentation.fastapi")
    with servers.start("uvicorn", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="anthropic,openai") as running:
        running.let_go()
        assert running.post("coroutine", "a").result() == "a"
        died = servers.stop(running)
    check(died, {"a": ("coroutine", COMPLETED)})
    [link] = died.session(COMPLETED, name="coroutine").links
    request = died.span("POST /coroutine")
    assert (link.trace_id, link.span_id) == (request.trace_id, request.span_id)
