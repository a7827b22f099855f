"""Finalizers and signals cannot deadlock, whatever lock the thread holds that they interrupt.

Each program has a deadline: one that hangs fails with its output. And everything arrives.
"""

from __future__ import annotations

import os
import signal

import pytest
from support import programs
from support.deaths import CANCELLED, COMPLETED, GARBAGE_COLLECTED, PROCESS_EXIT, ROOMY, Deaths, signalled
from support.otlp import Receiver

EAGER = {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "1"}
"""Makes the batch processors take their lock for every span and log record."""

locks = pytest.mark.parametrize(
    "lock",
    ["spans", "batch_processors", "start_of_span", "end_of_span", "log_event", "log_handler", "logging"],
)


@locks
def test_garbage_may_be_collected_while_any_lock_is_held(deaths: Deaths, lock: str) -> None:
    died = deaths.run("while_locked", lock, "garbage", env=EAGER)
    assert died.quiet == (0, "")
    died.session(COMPLETED)
    died.session(COMPLETED, name="another")
    died.session(GARBAGE_COLLECTED, name="in a cycle", open_spans=("tool", "step"))
    died.session(CANCELLED, name="in a generator")


@locks
def test_a_signal_may_come_while_any_lock_is_held(deaths: Deaths, lock: str) -> None:
    died = deaths.run("while_locked", lock, "signal", env=EAGER)
    assert died.quiet == (-signal.SIGTERM, "")
    died.session(signalled(signal.SIGTERM))
    died.session(signalled(signal.SIGTERM), name="in a cycle", open_spans=("tool", "step"))
    died.session(signalled(signal.SIGTERM), name="in a generator")


@locks
def test_a_signal_kills_although_a_lock_is_never_released(deaths: Deaths, lock: str) -> None:
    env = EAGER | {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "0.5"}
    died = deaths.run("while_locked", lock, "signal_for_ever", env=env)
    assert died.quiet == (-signal.SIGTERM, "")


def test_an_abandoned_generator_may_end_its_span_while_the_session_is_written(deaths: Deaths) -> None:
    died = deaths.run("instrumentation_dropped", timeout=15)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    assert died.span("chat").parent_id == root.span_id
    assert root.attributes["agentops.session.usage.input_tokens"] == 7


@pytest.mark.parametrize("before", ["dropped", "nothing"])
def test_a_span_processor_that_hangs_does_not_keep_a_signal_from_killing(deaths: Deaths, before: str) -> None:
    env = {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "0.5"}
    died = deaths.run("stuck_processor", before, "signal", env=env, send=signal.SIGTERM, timeout=15)
    assert died.returncode == -signal.SIGTERM


@pytest.mark.parametrize("before", ["dropped", "nothing"])
def test_a_span_processor_that_hangs_does_not_keep_the_program_from_ending(deaths: Deaths, before: str) -> None:
    env = {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "0.5"}
    died = deaths.run("stuck_processor", before, "exit", env=env, timeout=15)
    assert died.returncode == 3


def test_thousands_of_sessions_may_be_dropped_at_once(deaths: Deaths) -> None:
    died = deaths.run("many_dropped", "5000", env=ROOMY | {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "20"})
    assert died.quiet == (0, "")
    died.check_all()
    reasons = {root.name: root.attributes["agentops.session.end_reason"] for root in died.receiver.sessions()}
    assert reasons == {f"session agent {number}": "garbage_collected" for number in range(5000)}


def test_garbage_may_be_collected_at_every_line(deaths: Deaths) -> None:
    died = deaths.run("always_collecting", env=ROOMY)
    assert died.quiet == (0, "")
    died.check_all()
    for name, *reasons in (
        ("agent", "completed"),
        ("in a cycle", "garbage_collected"),
        ("dropped", "garbage_collected"),
        # The collector closes the generator, and finds the handle that only this one had: first what comes first.
        ("in a generator", "cancelled", "garbage_collected"),
    ):
        roots = died.spans(f"session {name}")
        assert len(roots) == 45
        assert {root.attributes["agentops.session.end_reason"] for root in roots} <= set(reasons)
    assert len(died.spans("step")) == len(died.spans("open")) == 45


def test_sessions_dropped_by_an_exit_callback_arrive(deaths: Deaths) -> None:
    died = deaths.run("dropped_at_exit", "by_an_exit_callback", env=ROOMY)
    assert died.quiet == (0, "")
    died.check_all()
    reasons = [root.attributes["agentops.session.end_reason"] for root in died.receiver.sessions()]
    assert reasons == ["garbage_collected"] * 1000


@pytest.mark.parametrize("how", ["ended_by_a_finalizer", "in_a_generator"])
def test_what_is_finalized_with_its_module_has_ended_before(deaths: Deaths, how: str) -> None:
    died = deaths.run("dropped_at_exit", how)
    assert died.quiet == (0, "")
    died.only_session(PROCESS_EXIT)


def test_a_session_may_be_started_while_the_interpreter_shuts_down(deaths: Deaths) -> None:
    died = deaths.run("dropped_at_exit", "started_by_a_finalizer")
    assert died.quiet == (0, "")
    died.only_session(PROCESS_EXIT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_child_may_be_forked_while_a_lock_of_celery_is_held(receiver: Receiver) -> None:
    pytest.importorskip("celery")
    outcome = programs.run(["-W", "ignore", "-c", FORKING_WHILE_LOCKED], receiver.environment())
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert sorted(root.name for root in receiver.sessions()) == ["session child", "session parent"]


FORKING_WHILE_LOCKED = """
import os, sys
from celery.signals import worker_process_shutdown
import agentops_otel as ao

ao.configure()
with ao.session("parent"):
    pass
with worker_process_shutdown.lock:
    pid = os.fork()
if pid == 0:
    with ao.session("child"):
        pass
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
"""
