"""A process that dies without a chance to do anything loses no session: the next one to use its directory ends them.

Each test runs a program of tests/scripts, really kills it, and then starts another.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from support.deaths import COMPLETED, Death, Deaths, End, Setup
from support.otlp import Protocol
from support.programs import Program
from support.spans import poll

PROCESS_LOST = End("unknown", "process_lost", "ERROR", "process_lost")
OPEN = ("tool", "step")
"""What `open_spans` of the programs leaves open, deepest first."""

NO_LOGS = {"OTEL_LOGS_EXPORTER": "none"}
"""A process that is killed takes the log events that wait for export along."""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def next_program(
    deaths: Deaths, name: str = "next", *, setup: Setup = "configure", protocol: Protocol = "http/protobuf"
) -> Death:
    """Another program is started in the same directory, and ends as it should."""
    with deaths.start("lost_next", name, setup=setup, protocol=protocol, env=NO_LOGS) as program:
        died = Death(program.wait(), deaths.receiver, has_logs=False)
    assert died.quiet == (0, "")
    died.session(COMPLETED, name=name)
    return died


def assert_recovered(died: Death, journal: Path) -> None:
    """The session of lost.py has arrived, once, as it was; and nothing is left of its process."""
    root = died.session(PROCESS_LOST, open_spans=OPEN)
    attributes = root.attributes
    assert (attributes["user.id"], attributes["agentops.tags"]) == ("u-17", ("beta",))
    assert root.status_description == "the process was lost"
    chat, tool = died.span("chat"), died.span("tool")
    assert [event.name for event in chat.events] == ["thought"]
    assert (chat.status, chat.parent_id) == ("UNSET", root.span_id)
    assert chat.end <= tool.end == root.end
    totals = ("agentops.session.inference.calls", "agentops.session.usage.input_tokens")
    assert [attributes[name] for name in totals] == [1, 7]
    assert len(died.inside(root)) == 3
    assert os.listdir(journal) == []


def is_ready(program: Program) -> Program:
    program.wait_for_line("ready")
    return program


@pytest.mark.parametrize(
    ("how", "returncode"),
    [
        ("leaves", 7),
        ("crashes", -signal.SIGSEGV),
        ("aborts", -signal.SIGABRT),
        ("becomes_another", 0),
    ],
)
def test_the_next_program_ends_the_session_of_one_that(deaths: Deaths, how: str, returncode: int) -> None:
    died = deaths.run("lost", how, env=NO_LOGS)
    assert died.returncode == returncode
    assert died.receiver.spans == []
    assert_recovered(next_program(deaths), deaths.journal)


@pytest.mark.parametrize("setup", ["configure", "own"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_next_program_ends_the_session_of_one_that_was_killed(
    deaths: Deaths, setup: Setup, protocol: Protocol
) -> None:
    died = deaths.run("lost", "waits", setup=setup, protocol=protocol, env=NO_LOGS, send=signal.SIGKILL)
    assert died.quiet == (-signal.SIGKILL, "")
    assert died.receiver.spans == []
    assert_recovered(next_program(deaths, setup=setup, protocol=protocol), deaths.journal)


def test_what_had_arrived_before_it_was_killed_does_not_come_again(deaths: Deaths) -> None:
    died = deaths.run("lost", "has_exported", env=NO_LOGS, send=signal.SIGKILL)
    assert [span.name for span in died.receiver.spans] == ["chat"]
    assert_recovered(next_program(deaths), deaths.journal)


@pytest.mark.parametrize("setup", ["configure", "by_hand"])
def test_the_log_event_of_the_end_comes_too(deaths: Deaths, setup: Setup) -> None:
    deaths.run("lost", "has_exported", setup=setup, send=signal.SIGKILL)
    died = deaths.run("lost_next", "next", setup=setup)
    assert died.quiet == (0, "")
    root = died.session(PROCESS_LOST, open_spans=OPEN)
    end = died.event("session.end", root)
    assert (end.severity_text, end.time) == ("ERROR", root.end)
    names = ("user.id", "agentops.session.inference.calls", "agentops.session.usage.input_tokens")
    assert [end.attributes[name] for name in names] == ["u-17", 1, 7]


def test_many_that_were_killed_are_recovered_by_one(deaths: Deaths) -> None:
    for _ in range(5):
        deaths.run("lost", "waits", env=NO_LOGS, send=signal.SIGKILL)
    died = next_program(deaths)
    assert len(died.spans("session agent")) == 5
    assert len(died.spans("chat")) == 5
    died.check_all()
    assert os.listdir(deaths.journal) == []


def test_a_program_that_runs_recovers_while_it_does(deaths: Deaths) -> None:
    deaths.run("lost", "waits", env=NO_LOGS, send=signal.SIGKILL)
    with deaths.start("lost", "has_exported", env=NO_LOGS) as program:
        is_ready(program)
        poll(lambda: len(list(deaths.journal.glob("*.lock"))) == 1)
        assert len(deaths.receiver.sessions()) == 1
        program.send(signal.SIGKILL)
        program.wait()
    assert len(next_program(deaths).spans("session agent")) == 2


@pytest.mark.parametrize("setup", ["configure", "by_hand"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_program_recovers_before_it_has_a_session_of_its_own(
    deaths: Deaths, setup: Setup, protocol: Protocol
) -> None:
    died = deaths.run("lost", "waits", setup=setup, protocol=protocol, env=NO_LOGS, send=signal.SIGKILL)
    with deaths.start("idle", "waits", setup=setup, protocol=protocol, env=NO_LOGS) as program:
        is_ready(program)
        poll(lambda: os.listdir(deaths.journal) == [])
        assert program.stderr == ""
    assert_recovered(replace(died, has_logs=False), deaths.journal)


@forks
@pytest.mark.parametrize("how", ["forks", "forks after a session"])
def test_a_forked_child_does_so_too(deaths: Deaths, how: str) -> None:
    with deaths.start("idle", how, env=NO_LOGS) as program:
        is_ready(program)
        died = deaths.run("lost", "waits", env=NO_LOGS, send=signal.SIGKILL)
        program.send(signal.SIGUSR1)
        deaths.receiver.wait_for(lambda there: [root.name for root in there.sessions()][-1:] == ["session agent"])
        poll(lambda: len(list(deaths.journal.glob("*.lock"))) <= (how != "forks"))  # of the parent
        assert program.stderr == ""
    replace(died, has_logs=False).session(PROCESS_LOST, open_spans=OPEN)


def test_a_process_that_is_stopped_is_alive(deaths: Deaths) -> None:
    with deaths.start("lost", "waits", env=NO_LOGS) as program:
        is_ready(program).send(signal.SIGSTOP)
        first = next_program(deaths, "first")
        assert [span.name for span in first.receiver.spans] == ["session first"]
        program.send(signal.SIGKILL)
        program.wait()
    assert_recovered(next_program(deaths), deaths.journal)


@forks
def test_all_sessions_of_a_group_that_is_killed_arrive(deaths: Deaths) -> None:
    with deaths.start("lost_group", env=NO_LOGS) as program:
        os.killpg(is_ready(program).pid, signal.SIGKILL)
        assert program.wait().returncode == -signal.SIGKILL
    died = next_program(deaths)
    for name in ("parent", "child 0", "child 1", "child 2"):
        died.session(PROCESS_LOST, name=name)
    assert os.listdir(deaths.journal) == []


@forks
def test_a_child_that_lives_on_keeps_its_session_and_not_that_of_its_parent(deaths: Deaths) -> None:
    with deaths.start("lost_group", env=NO_LOGS) as program:
        is_ready(program).send(signal.SIGKILL)
        program.process.wait()
        died = next_program(deaths)
        died.session(PROCESS_LOST, name="parent")
        assert len(died.receiver.sessions()) == 2
        program.kill()  # the rest of its group
    assert len(next_program(deaths, "another").receiver.sessions()) == 6


def test_a_process_that_the_kernel_kills_because_it_takes_all_memory(deaths: Deaths) -> None:
    with limited_memory(2**27) as processes:
        died = deaths.run("lost", "takes_all_memory", str(processes), env=NO_LOGS)
    assert died.quiet == (-signal.SIGKILL, "")
    assert died.receiver.spans == []
    assert_recovered(next_program(deaths), deaths.journal)


@contextmanager
def limited_memory(size: int) -> Iterator[Path]:
    """A control group that may have so many bytes; yields the file that processes are put into it by."""
    for mount, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(mount) / f"agentops-test-{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            try:
                (group / limit).write_text(str(size))
                yield group / "cgroup.procs"
                return
            finally:
                group.rmdir()
    pytest.skip("no control group can be made here, so the kernel kills nobody for memory")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_processes_of_two_containers_may_have_the_same_pid(deaths: Deaths) -> None:
    container = ["unshare", "--pid", "--fork", "--kill-child"]
    with Program.start([*container, "true"]) as program:
        if program.wait().returncode:
            pytest.skip("no pid namespace can be made here")
    with deaths.start("lost", "waits", env=NO_LOGS, before=container) as program:
        is_ready(program)
        with deaths.start("lost_next", "neighbour", env=NO_LOGS, before=container) as other:
            assert other.wait().returncode == 0
        assert [span.name for span in deaths.receiver.spans] == ["session neighbour"]
        program.send(signal.SIGKILL)
        program.wait()
    with deaths.start("lost_next", "next", env=NO_LOGS, before=container) as other:
        assert_recovered(Death(other.wait(), deaths.receiver, has_logs=False), deaths.journal)
