"""`agentops-otel recover`, and `agentops-otel run` of programs that die: what they left is sent at once."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from support import journals
from support.journals import span
from support.otlp import Receiver, Span
from support.programs import Outcome, Program
from support.programs import run as run_command
from support.spans import poll

from agentops_otel.cli.files import all_files
from agentops_otel.cli.read import StoredSession, read_sessions
from agentops_otel.cli.recover import Child
from agentops_otel.journal.records import Accepted, Delivered, Owner

AGENTOPS = [str(Path(sys.executable).with_name("agentops-otel"))]

HTTP = "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter"
LOCAL = "agentops_otel.cli.store.LocalSpanExporter"

SESSION = """
import os, signal, subprocess, sys, threading
from opentelemetry import trace
import agentops_otel as ao

def begin(name):
    session = ao.start_session(name)
    return session, trace.get_tracer("test").start_span("chat")

def wait():
    print("ready", flush=True)
    threading.Event().wait(60)

"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def env(journal: Path, store: Path) -> dict[str, str]:
    return {"OTEL_PYTHON_AGENTOPS_JOURNAL": str(journal), "OTEL_PYTHON_AGENTOPS_STORE": str(store)}


@pytest.fixture
def to_receiver(env: dict[str, str], receiver: Receiver) -> dict[str, str]:
    return env | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_endpoint}/v1/traces"}


@pytest.fixture
def away(env: dict[str, str]) -> dict[str, str]:
    """Nobody listens there."""
    receiver = Receiver()
    receiver.close()
    return env | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_endpoint}/v1/traces"}


def agentops(*words: str, env: Mapping[str, str]) -> Outcome:
    return run_command([*AGENTOPS, *words], env)


def run(code: str, env: Mapping[str, str]) -> Outcome:
    return agentops("run", "-c", SESSION + code, env=env)


def exits(found: Span) -> dict[str, object]:
    return {name: said for name, said in found.attributes.items() if ".exit." in name}


def stored(store: Path) -> list[StoredSession]:
    return read_sessions(all_files(store)).sessions


# -- recover ------------------------------------------------------------------------------------------------------


def test_what_dead_processes_left_is_sent(journal: Path, to_receiver: dict[str, str], receiver: Receiver) -> None:
    journals.write(journal, [span(1), span(2, parent=1)], sinks=[HTTP])
    journals.write(
        journal, [span(3, end=4), Accepted(3, 0), Delivered(0, [3]), span(5, trace=2)], owner=Owner(5, ""), sinks=[HTTP]
    )
    outcome = agentops("recover", env=to_receiver)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines() == [
        "process 4711: 1 open sessions, 2 spans to send: 2 sent, 0 refused, 0 left",
        "process 5: 1 open sessions, 1 spans to send: 1 sent, 0 refused, 0 left",
    ]
    assert [found.name for found in receiver.spans] == ["span 2", "session 1", "session 2"]
    assert {found.attributes["agentops.session.end_reason"] for found in receiver.spans} == {"process_lost"}
    assert os.listdir(journal) == []
    assert agentops("recover", env=to_receiver).stdout == f"Nothing to recover in {journal}.\n"


def test_the_directory_can_be_named_and_the_result_be_json(
    tmp_path: Path, to_receiver: dict[str, str], receiver: Receiver
) -> None:
    name = journals.write(tmp_path / "other", [span(1)])
    outcome = agentops("recover", "--json", str(tmp_path / "other"), env=to_receiver)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    [found] = json.loads(outcome.stdout)
    assert (found["name"], found["pid"], found["sessions"], found["sent"]) == (name, 4711, 1, 1)
    assert agentops("recover", "--json", str(tmp_path / "nowhere"), env=to_receiver).stdout == "[]\n"
    assert not (tmp_path / "nowhere").exists()


def test_what_a_collector_does_not_take_stays(journal: Path, away: dict[str, str], receiver: Receiver) -> None:
    journals.write(journal, [span(1)])
    outcome = agentops("recover", env=away | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"})
    assert outcome.returncode == 1
    assert outcome.stdout == "process 4711: 1 open sessions, 1 spans to send: 0 sent, 0 refused, 1 left\n"
    assert len(os.listdir(journal)) >= 2
    env = away | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_endpoint}/v1/traces"}
    assert agentops("recover", env=env).returncode == 0
    assert [found.name for found in receiver.spans] == ["session 1"]


def test_what_a_collector_refuses_for_good_does_not_stay(
    journal: Path, to_receiver: dict[str, str], receiver: Receiver
) -> None:
    receiver.status = 400
    journals.write(journal, [span(1)])
    outcome = agentops("recover", env=to_receiver)
    assert outcome.returncode == 0
    assert "0 sent, 1 refused, 0 left" in outcome.stdout
    assert os.listdir(journal) == []


def test_what_is_damaged_is_said(journal: Path, to_receiver: dict[str, str]) -> None:
    name = journals.write(journal, [span(1), span(2, parent=1)], [span(3, parent=1)])
    first, second = sorted(journal.glob(f"{name}.0*.journal"))
    first.write_bytes(first.read_bytes().replace(b"id 1", b"id 2", 1))
    second.write_text("dear diary, this is no journal at all")
    outcome = agentops("recover", env=to_receiver)
    assert outcome.returncode == 0
    assert outcome.stderr.splitlines() == ["1 damaged entry skipped.", f"not read: {second.name}: it is no journal"]


def test_where_no_endpoint_is_set_what_a_run_started_goes_to_the_store(
    journal: Path, env: dict[str, str], store: Path
) -> None:
    run_id = "20260101T000000Z-0123abcd"
    root = span(1, attributes={"gen_ai.operation.name": "session"})
    journals.write(journal, [root], owner=Owner(1, run_id), sinks=[LOCAL])
    assert agentops("recover", env=env).returncode == 0
    assert [session.reason for session in stored(store)] == ["process_lost"]
    [file] = all_files(store)
    assert file.name.startswith(run_id)


def test_a_live_process_is_left_alone(journal: Path, to_receiver: dict[str, str], receiver: Receiver) -> None:
    with Program.start(["-c", SESSION + "ao.configure(); held = begin('alive'); wait()"], env=to_receiver) as program:
        program.wait_for_line("ready")
        assert "Nothing to recover" in agentops("recover", env=to_receiver).stdout
        program.send(signal.SIGKILL)
        program.wait()
    assert "1 open sessions" in agentops("recover", env=to_receiver).stdout
    assert {found.name for found in receiver.spans} == {"chat", "session alive"}


def test_nothing_of_the_sdk_is_loaded_where_nobody_is_dead(journal: Path, env: dict[str, str]) -> None:
    code = f"""
import sys
sys.argv = ["agentops-otel", "recover", {str(journal)!r}]
from agentops_otel.cli import main
try:
    main()
finally:
    print("opentelemetry.sdk" in sys.modules)
"""
    assert run_command(["-c", code], env).stdout.splitlines()[-1] == "False"


# -- run ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "returncode", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, {"agentops.session.exit.signal": "SIGKILL"}),
        ("os.abort()", -signal.SIGABRT, {"agentops.session.exit.signal": "SIGABRT"}),
        ("os._exit(7)", 7, {"agentops.session.exit.code": 7}),
        ("os._exit(0)", 0, {"agentops.session.exit.code": 0}),
        ("os.execv('/bin/sh', ['sh', '-c', 'exit 3'])", 3, {"agentops.session.exit.code": 3}),
    ],
)
def test_the_sessions_of_a_program_that_dies_arrive_at_once_and_say_how_it_died(
    end: str, returncode: int, said: dict[str, object], to_receiver: dict[str, str], receiver: Receiver, journal: Path
) -> None:
    outcome = run(f"held = begin('agent'); {end}", to_receiver)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (returncode, "", "")
    chat, root = receiver.spans
    assert (chat.name, root.name, root.status) == ("chat", "session agent", "ERROR")
    assert root.attributes["agentops.session.end_reason"] == "process_lost"
    assert exits(root) == said
    assert exits(chat) == {name: signal for name, signal in said.items() if name.endswith("signal")}
    assert os.listdir(journal) == []


def test_lost_sessions_are_printed_with_the_others(env: dict[str, str], journal: Path) -> None:
    code = "ao.session('first').__enter__().end(); held = begin('second'); os.kill(os.getpid(), 9)"
    outcome = run(code, env)
    assert outcome.returncode == -signal.SIGKILL
    lines = [re.sub(r"  [\d.]+ m?s.*", "", line) for line in outcome.stderr.splitlines()]
    assert lines == ["first  success  completed", "second  unknown  process_lost SIGKILL", "└── chat"]
    assert os.listdir(journal) == []


def test_what_other_processes_left_is_not_the_business_of_a_run(
    env: dict[str, str], journal: Path, store: Path
) -> None:
    root = span(1, attributes={"gen_ai.operation.name": "session"})
    journals.write(journal, [root], owner=Owner(1, "20260101T000000Z-0123abcd"), sinks=[LOCAL])
    journals.write(journal, [span(2)], owner=Owner(1, ""), sinks=[HTTP])
    outcome = run("pass", env)
    assert (outcome.returncode, outcome.stderr) == (0, "No session was recorded.\n")
    assert list(stored(store)) == []
    assert len(list(journal.glob("*.lock"))) == 2


def test_of_what_the_program_forked_nobody_knows_how_it_died(to_receiver: dict[str, str], receiver: Receiver) -> None:
    code = """
if os.fork() == 0:
    held = begin("child")
    os.kill(os.getpid(), 9)
os.wait()
held = begin("parent")
os._exit(4)
"""
    assert run(code, to_receiver | {"PYTHONWARNINGS": "ignore"}).returncode == 4
    roots = {root.name: exits(root) for root in receiver.roots()}
    assert roots == {"session child": {}, "session parent": {"agentops.session.exit.code": 4}}


def test_a_daemon_keeps_its_session_until_it_dies(
    to_receiver: dict[str, str], receiver: Receiver, journal: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    code = f"""
held = begin("parent")
if os.fork() == 0:
    os.setsid()
    for number in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    held = begin("daemon")
    with open({str(pid) + ".new"!r}, "w") as file:
        file.write(str(os.getpid()))
    os.rename({str(pid) + ".new"!r}, {str(pid)!r})
    threading.Event().wait(60)
while not os.path.exists({str(pid)!r}):
    threading.Event().wait(0.01)
os._exit(0)
"""
    outcome = run(code, to_receiver | {"PYTHONWARNINGS": "ignore"})
    assert (outcome.returncode, outcome.stderr) == (0, "")
    daemon = int(pid.read_text())
    try:
        assert [root.name for root in receiver.roots()] == ["session parent"]
    finally:
        os.kill(daemon, signal.SIGKILL)
    poll(lambda: "1 open sessions" in agentops("recover", env=to_receiver).stdout)
    assert [root.name for root in receiver.roots()] == ["session parent", "session daemon"]
    assert os.listdir(journal) == []


@pytest.mark.parametrize(("end", "returncode"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9)])
def test_a_collector_that_hangs_neither_holds_the_exit_up_nor_changes_it(
    end: str, returncode: int, to_receiver: dict[str, str], receiver: Receiver, journal: Path
) -> None:
    receiver.delay = 60
    began = time.monotonic()
    outcome = run(f"held = begin('agent'); {end}", to_receiver | {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "1"})
    assert time.monotonic() - began < 20
    assert outcome.returncode == returncode
    assert outcome.stderr == (
        f"agentops-otel: not everything could be sent; it stays in {journal}: agentops-otel recover\n"
    )
    assert list(journal.glob("*.lock"))


def test_a_collector_that_is_away_is_told_of_later(away: dict[str, str], receiver: Receiver, journal: Path) -> None:
    outcome = run("held = begin('agent'); os._exit(7)", away | {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "1"})
    assert outcome.returncode == 7
    assert "it stays in" in outcome.stderr
    env = away | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_endpoint}/v1/traces"}
    assert run("pass", env).returncode == 0
    assert agentops("recover", env=env).returncode == 0
    assert sorted(found.name for found in receiver.spans) == ["chat", "session agent"]
    assert os.listdir(journal) == []


def test_without_a_journal_nothing_is_recovered(to_receiver: dict[str, str], receiver: Receiver, journal: Path) -> None:
    journals.write(journal, [span(1)], sinks=[HTTP])
    outcome = run("held = begin('agent'); os._exit(7)", to_receiver | {"OTEL_PYTHON_AGENTOPS_JOURNAL": "off"})
    assert (outcome.returncode, outcome.stderr) == (7, "")
    assert receiver.spans == []


@pytest.mark.parametrize(
    ("returncode", "said"),
    [
        (0, {"agentops.session.exit.code": 0}),
        (255, {"agentops.session.exit.code": 255}),
        (-9, {"agentops.session.exit.signal": "SIGKILL"}),
        (-11, {"agentops.session.exit.signal": "SIGSEGV"}),
        (-40, {"agentops.session.exit.signal": "SIG40"}),
    ],
)
def test_what_is_known_of_the_end_of_a_process(returncode: int, said: dict[str, object]) -> None:
    child = Child("run", 17, returncode)
    assert child.known_of(Owner(17, "run")) == said
    for stranger in (Owner(18, "run"), Owner(17, "another"), Owner(17, "")):
        assert child.known_of(stranger) == {}
