"""A session that was started arrives exactly once, ended, with the reason: whatever ends it.

Each test runs a program of tests/scripts, and judges what a real OTLP receiver got, the exit status that the parent
sees (which is that of the same program without this package), and stderr (nothing but what the way itself prints).
"""

from __future__ import annotations

import os
import signal

import pytest
from support.deaths import (
    CANCELLED,
    COMPLETED,
    END_REASON,
    GARBAGE_COLLECTED,
    PROCESS_EXIT,
    PROVIDER_SHUTDOWN,
    ROOMY,
    SESSION_ID,
    SOON,
    TIMEOUT,
    Deaths,
    End,
    Setup,
    failed,
    signalled,
)
from support.otlp import Protocol, Receiver

every_setup = pytest.mark.parametrize("setup", ["configure", "by_hand", "own"])
every_protocol = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

OPEN = ("tool", "step")
"""What `open_spans` of the programs leaves open, deepest first."""


def a_session_arrived(receiver: Receiver) -> bool:
    return bool(receiver.sessions())


# -- left as it should be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ((), COMPLETED),
        (("success",), End("success", "completed", "OK")),
        (("error",), End("error", "completed", "ERROR", "_OTHER")),
        (("unknown",), End("unknown", "completed")),
    ],
)
def test_a_session_ended_by_hand_has_the_state_that_was_said(deaths: Deaths, state: tuple[str, ...], end: End) -> None:
    died = deaths.run("explicit_end", *state)
    assert died.quiet == (0, "")
    root = died.only_session(end)
    assert died.span("step").parent_id == root.span_id
    assert died.is_alone("after")


@every_setup
def test_a_block_that_is_left_completes_the_session(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("with_block", setup=setup)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    assert died.span("step").parent_id == root.span_id
    assert died.is_alone("after")


@every_setup
def test_a_block_that_is_left_completes_the_session_over_grpc(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("with_block", setup=setup, protocol="grpc")
    assert died.quiet == (0, "")
    died.only_session(COMPLETED)


def test_an_asynchronous_block_that_is_left_completes_the_session(deaths: Deaths) -> None:
    died = deaths.run("async_with")
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    assert died.span("step").parent_id == root.span_id
    assert died.is_alone("after")


kinds = pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async_generator"])


@kinds
def test_a_decorated_function_that_returns_completes_the_session(deaths: Deaths, kind: str) -> None:
    died = deaths.run("decorated", kind, "returns")
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    assert died.span("step").parent_id == root.span_id


@kinds
def test_a_decorated_function_that_raises_fails_the_session(deaths: Deaths, kind: str) -> None:
    died = deaths.run("decorated", kind, "raises")
    assert died.returncode == 1
    assert died.has_traceback("ValueError: boom"), died
    died.only_session(failed("ValueError"))


# -- exceptions ---------------------------------------------------------------------------------------------------


@every_setup
def test_an_exception_that_leaves_the_block_fails_the_session(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("exception_in_block", setup=setup)
    assert died.returncode == 1
    assert died.has_traceback("ValueError: boom"), died
    root = died.only_session(failed("ValueError"), open_spans=OPEN)
    recorded = root.events[0].attributes
    assert (recorded["exception.type"], recorded["exception.message"]) == ("ValueError", "boom")
    assert "raise ValueError" in recorded["exception.stacktrace"]
    assert root.status_description == "ValueError: boom"


def test_an_exception_that_leaves_the_block_can_be_caught_outside(deaths: Deaths) -> None:
    died = deaths.run("exception_caught_outside")
    assert died.quiet == (0, "")
    assert died.stdout == "boom\n"
    died.only_session(failed("ValueError"))
    assert died.is_alone("after")


@every_setup
@every_protocol
def test_an_exception_that_ends_the_program_fails_the_open_session(
    deaths: Deaths, setup: Setup, protocol: Protocol
) -> None:
    died = deaths.run("unhandled_exception", setup=setup, protocol=protocol)
    assert died.returncode == 1
    assert died.has_traceback("ValueError: boom"), died
    died.only_session(failed("ValueError"), open_spans=OPEN)


@pytest.mark.parametrize("when", ["before", "after"])
@every_setup
def test_an_excepthook_of_the_program_does_not_hide_the_exception(deaths: Deaths, when: str, setup: Setup) -> None:
    died = deaths.run("own_excepthook", when, setup=setup)
    assert died.quiet == (1, "hook: boom\n")
    died.only_session(failed("ValueError"))


def test_a_cancelled_task_cancels_its_session(deaths: Deaths) -> None:
    died = deaths.run("cancelled_task")
    assert died.quiet == (0, "")
    died.only_session(CANCELLED)


# -- generators ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["closed", "dropped", "cycle"])
@pytest.mark.parametrize("kind", ["with_block", "decorated"])
def test_a_generator_left_in_the_middle_cancels_its_session(deaths: Deaths, kind: str, how: str) -> None:
    died = deaths.run("generator", kind, how)
    assert died.quiet == (0, "")
    died.only_session(CANCELLED)
    assert died.is_alone("after")


@pytest.mark.parametrize(
    ("how", "end"),
    [("closed", CANCELLED), ("dropped", CANCELLED), ("loop_ends", CANCELLED), ("loop_closed", GARBAGE_COLLECTED)],
)
@pytest.mark.parametrize("kind", ["with_block", "decorated"])
def test_an_asynchronous_generator_left_in_the_middle_ends_its_session(
    deaths: Deaths, kind: str, how: str, end: End
) -> None:
    died = deaths.run("async_generator", kind, how)
    assert died.quiet == (0, "")
    died.only_session(end)
    assert died.is_alone("after")


# -- leaks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["dropped", "cycle"])
@every_setup
def test_a_dropped_handle_ends_its_session_while_the_program_runs(deaths: Deaths, how: str, setup: Setup) -> None:
    died = deaths.run("dropped_handle", how, setup=setup, env=SOON, send=signal.SIGTERM, when=a_session_arrived)
    assert died.quiet == (-signal.SIGTERM, "")
    root = died.only_session(GARBAGE_COLLECTED, open_spans=OPEN)
    assert root.attributes["code.function.name"].endswith("agent")


@pytest.mark.parametrize("how", ["thread", "task"])
def test_the_handle_of_a_thread_or_task_that_is_over_ends_its_session(deaths: Deaths, how: str) -> None:
    died = deaths.run("dropped_handle", how, env=SOON, send=signal.SIGTERM, when=a_session_arrived)
    assert died.quiet == (-signal.SIGTERM, "")
    died.only_session(GARBAGE_COLLECTED, open_spans=OPEN)
    assert died.is_alone("after")


def test_a_leak_costs_one_resource_warning_that_names_the_line(deaths: Deaths) -> None:
    died = deaths.run(
        "dropped_handle",
        "dropped",
        env=SOON | {"PYTHONWARNINGS": "always::ResourceWarning"},
        send=signal.SIGTERM,
        when=a_session_arrived,
    )
    root = died.only_session(GARBAGE_COLLECTED, open_spans=OPEN)
    assert died.returncode == -signal.SIGTERM
    where = f"{root.attributes['code.file.path']}:{root.attributes['code.line.number']}: ResourceWarning: "
    assert died.stderr.startswith(where)
    assert died.stderr.count("Warning") == 1


@pytest.mark.parametrize("session", ["dropped_inside", "dropped_after"])
def test_a_forgotten_span_arrives_while_the_program_runs(deaths: Deaths, session: str) -> None:
    died = deaths.run(
        "child_span", session, env=SOON, send=signal.SIGTERM, when=lambda receiver: len(receiver.spans) == 2
    )
    assert died.quiet == (-signal.SIGTERM, "")
    root = died.session(COMPLETED)
    span = died.span("chat")
    assert span.parent_id == root.span_id
    assert span.scope_name == "instrumentation"
    assert span.attributes[END_REASON] == "garbage_collected"
    assert span.attributes["gen_ai.usage.input_tokens"] == 7
    assert [event.name for event in span.events] == ["token"]
    if session == "dropped_inside":
        assert root.attributes["agentops.session.usage.input_tokens"] == 7


def test_a_span_that_outlives_its_session_arrives_as_it_was_ended(deaths: Deaths) -> None:
    died = deaths.run("child_span", "ended_after")
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    span = died.span("chat")
    assert span.end >= root.end
    assert END_REASON not in span.attributes


def test_a_span_that_outlives_its_session_arrives_at_the_latest_at_exit(deaths: Deaths) -> None:
    died = deaths.run("child_span", "held")
    assert died.quiet == (0, "")
    died.only_session(COMPLETED)
    assert died.span("chat").attributes[END_REASON] == "process_exit"


# -- the regular end of the process -------------------------------------------------------------------------------


@every_setup
def test_sys_exit_in_a_block_ends_the_session(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("sys_exit", "in_block", setup=setup)
    assert died.quiet == (3, "")
    died.only_session(PROCESS_EXIT, open_spans=OPEN)


@every_setup
def test_sys_exit_ends_the_open_session(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("sys_exit", "outside", setup=setup)
    assert died.quiet == (3, "")
    died.only_session(PROCESS_EXIT, open_spans=OPEN)


@every_setup
@every_protocol
def test_the_end_of_main_ends_the_open_session(deaths: Deaths, setup: Setup, protocol: Protocol) -> None:
    died = deaths.run("end_of_main", setup=setup, protocol=protocol)
    assert died.quiet == (0, "")
    died.only_session(PROCESS_EXIT, open_spans=OPEN)


def test_sessions_of_daemon_threads_end_at_exit(deaths: Deaths) -> None:
    died = deaths.run("daemon_thread")
    assert died.quiet == (0, "")
    for number in range(3):
        died.session(PROCESS_EXIT, name=f"agent {number}")


def test_a_provider_that_does_not_shut_down_at_exit_is_flushed(deaths: Deaths) -> None:
    died = deaths.run("no_shutdown_on_exit", setup="own")
    assert died.quiet == (0, "")
    died.only_session(PROCESS_EXIT)


@every_setup
@pytest.mark.parametrize(
    ("when", "was_open", "end"), [("registered_first", False, PROCESS_EXIT), ("registered_last", True, COMPLETED)]
)
def test_an_end_in_an_exit_callback_loses_nothing(
    deaths: Deaths, when: str, was_open: bool, end: End, setup: Setup
) -> None:
    died = deaths.run("end_at_exit", when, setup=setup)
    assert died.quiet == (0, "")
    assert died.stdout == f"{was_open}\n"
    died.only_session(end)


@every_setup
@pytest.mark.parametrize("times", [1, 2])
def test_a_shutdown_of_the_provider_ends_the_open_session(deaths: Deaths, times: int, setup: Setup) -> None:
    died = deaths.run("provider_shutdown", str(times), setup=setup)
    assert died.quiet == (0, "")
    died.only_session(PROVIDER_SHUTDOWN, open_spans=OPEN)


@pytest.fixture
def nobody() -> dict[str, str]:
    """The environment of a program whose collector is dead."""
    with Receiver() as dead:
        environment = dead.environment()
    return environment | {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}


@pytest.mark.parametrize(("program", "returncode"), [("sys_exit", 3), ("unhandled_exception", 1), ("end_of_main", 0)])
def test_a_dead_collector_does_not_change_the_exit_status(
    deaths: Deaths, nobody: dict[str, str], program: str, returncode: int
) -> None:
    died = deaths.run(program, "outside", env=nobody)
    assert died.returncode == returncode
    assert not died.receiver.spans


def test_a_dead_collector_does_not_keep_a_signal_from_killing(deaths: Deaths, nobody: dict[str, str]) -> None:
    died = deaths.run("busy_in", "sleep", env=nobody, send=signal.SIGTERM)
    assert died.returncode == -signal.SIGTERM


# -- signals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where", ["sleep", "loop", "lock", "join", "asyncio", "stdin", "subprocess", "exit", "native_code"]
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_kills_ends_the_session_wherever_the_main_thread_is(
    deaths: Deaths, where: str, number: signal.Signals
) -> None:
    died = deaths.run("busy_in", where, send=number, timeout=15)
    assert died.quiet == (-number, "")
    died.only_session(signalled(number), open_spans=OPEN)


@pytest.mark.parametrize("attempt", range(8))  # each of them hung in one of ten cases
def test_a_signal_is_not_lost_in_a_thread_that_begins_or_ends(deaths: Deaths, attempt: int) -> None:
    died = deaths.run("threads_come_and_go", send=signal.SIGTERM)
    assert died.quiet == (-signal.SIGTERM, "")
    died.only_session(signalled(signal.SIGTERM), open_spans=OPEN)


def test_a_signal_kills_also_where_its_disposition_was_put_back_just_before(deaths: Deaths) -> None:
    died = deaths.run("disposition_put_back", send=signal.SIGTERM)
    assert died.quiet == (-signal.SIGTERM, "")
    died.only_session(signalled(signal.SIGTERM), open_spans=OPEN)


@every_setup
@every_protocol
def test_sigterm_ends_the_session(deaths: Deaths, setup: Setup, protocol: Protocol) -> None:
    died = deaths.run("busy_in", "sleep", setup=setup, protocol=protocol, send=signal.SIGTERM)
    assert died.quiet == (-signal.SIGTERM, "")
    died.only_session(signalled(signal.SIGTERM), open_spans=OPEN)


def test_a_main_thread_that_goes_on_after_sigterm_is_not_told_that_its_spans_have_ended(deaths: Deaths) -> None:
    died = deaths.run("goes_on_after_sigterm")
    assert died.quiet == (-signal.SIGTERM, "")
    died.only_session(signalled(signal.SIGTERM), open_spans=["open child"])


def test_signals_can_be_left_alone(deaths: Deaths) -> None:
    died = deaths.run("busy_in", "sleep", send=signal.SIGTERM, env={"OTEL_PYTHON_AGENTOPS_SIGNALS": "false"})
    assert died.quiet == (-signal.SIGTERM, "")
    assert not died.receiver.spans
    assert not died.events("session.end")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_program_is_the_only_one(deaths: Deaths, when: str) -> None:
    died = deaths.run("own_handler", when, send=signal.SIGTERM)
    assert died.quiet == (7, "")
    assert died.stdout == "ready\nhandler\n"
    died.only_session(PROCESS_EXIT, open_spans=OPEN)


def test_a_handler_of_the_program_can_call_the_one_it_found(deaths: Deaths) -> None:
    died = deaths.run("own_handler", "chains", send=signal.SIGTERM)
    assert died.quiet == (-signal.SIGTERM, "")
    died.only_session(signalled(signal.SIGTERM), open_spans=OPEN)
    assert died.stdout == "ready\nhandler\n"


@every_setup
@pytest.mark.parametrize("when", ["dies_before", "dies_after", "dies_in_thread"])
def test_a_handler_of_the_program_can_restore_the_default_and_die_by_it(
    deaths: Deaths, when: str, setup: Setup
) -> None:
    died = deaths.run("own_handler", when, setup=setup, send=signal.SIGTERM)
    assert died.quiet == (-signal.SIGTERM, "")
    died.only_session(COMPLETED)
    assert {died.span(name).attributes[END_REASON] for name in OPEN} == {"signal"}


def test_a_hangup_that_is_ignored_stays_ignored(deaths: Deaths) -> None:
    died = deaths.run("ignored_hangup", before=["nohup"])
    assert died.quiet == (0, "")
    died.only_session(COMPLETED)


@every_setup
@pytest.mark.parametrize("where", ["in_block", "outside"])
def test_ctrl_c_ends_the_session(deaths: Deaths, where: str, setup: Setup) -> None:
    died = deaths.run("interrupted", where, setup=setup, send=signal.SIGINT)
    assert died.returncode == -signal.SIGINT
    assert died.has_traceback("KeyboardInterrupt"), died
    died.only_session(signalled(signal.SIGINT), open_spans=OPEN)


def test_ctrl_c_in_asyncio_ends_the_open_session(deaths: Deaths) -> None:
    died = deaths.run("interrupted", "asyncio", send=signal.SIGINT)
    assert died.returncode == -signal.SIGINT
    assert died.has_traceback("KeyboardInterrupt"), died
    died.only_session(signalled(signal.SIGINT), open_spans=OPEN)


def test_ctrl_c_in_asyncio_cancels_the_session_of_the_task(deaths: Deaths) -> None:
    died = deaths.run("interrupted", "asyncio_in_block", send=signal.SIGINT)
    assert died.returncode == -signal.SIGINT
    assert died.has_traceback("KeyboardInterrupt"), died
    died.only_session(CANCELLED)


# -- processes ----------------------------------------------------------------------------------------------------

methods = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])


@methods
@pytest.mark.parametrize(
    ("how", "exitcode", "end"),
    [
        ("returns", 0, COMPLETED),
        ("leaves_open", 0, PROCESS_EXIT),
        ("exits", 3, PROCESS_EXIT),
        ("leaves_a_thread", 0, PROCESS_EXIT),
        ("is_terminated", -signal.SIGTERM, signalled(signal.SIGTERM)),
    ],
)
def test_the_session_of_a_multiprocessing_child_arrives(
    deaths: Deaths, method: str, how: str, exitcode: int, end: End
) -> None:
    died = deaths.run("multiprocessing_child", method, how)
    assert died.quiet == (0, "")
    assert died.stdout == f"{exitcode}\n"
    died.only_session(end, open_spans=() if how == "returns" else OPEN)


@methods
def test_an_exception_in_a_multiprocessing_child_fails_its_session(deaths: Deaths, method: str) -> None:
    died = deaths.run("multiprocessing_child", method, "raises")
    assert died.stdout == "1\n"
    assert died.returncode == 0
    assert died.stderr.splitlines()[0].startswith("Process "), died
    assert died.stderr.endswith("\nValueError: boom\n"), died
    assert died.stderr.count("Traceback") == 1, died
    died.only_session(failed("ValueError"), open_spans=OPEN)


@methods
@pytest.mark.parametrize("setup", ["by_hand", "own"])
def test_a_session_left_open_in_a_multiprocessing_child_arrives_whoever_sets_up(
    deaths: Deaths, method: str, setup: Setup
) -> None:
    died = deaths.run("multiprocessing_child", method, "leaves_open", setup=setup)
    assert died.quiet == (0, "")
    died.only_session(PROCESS_EXIT, open_spans=OPEN)


@methods
def test_sessions_of_the_workers_of_a_process_pool_arrive(deaths: Deaths, method: str) -> None:
    died = deaths.run("multiprocessing_pool", method)
    assert died.quiet == (0, "")
    for number in range(6):
        died.session(COMPLETED, name=f"agent {number}")


@pytest.mark.parametrize("how", ["returns", "ends", "works"])
def test_a_session_that_a_multiprocessing_child_inherits_belongs_to_the_parent(deaths: Deaths, how: str) -> None:
    died = deaths.run("inherited_by_process", how)
    assert died.quiet == (0, "")
    root = died.session(COMPLETED)
    assert died.span("step").parent_id == root.span_id
    if how == "works":
        assert died.span("in the child").parent_id == died.span("step").span_id
        child = died.session(COMPLETED, name="child")
        assert died.span("in its session").parent_id == child.span_id
        assert [link.trace_id for link in child.links] == [root.trace_id]
    else:
        assert len(died.receiver.spans) == 2


@forks
@every_setup
@pytest.mark.parametrize(
    ("how", "exitcode"),
    [("falls_off", 0), ("exits", 4), ("leaves_at_once", 4), ("raises", 1), ("ends", 0), ("drops", 0)],
)
def test_what_is_open_at_a_fork_belongs_to_the_parent(deaths: Deaths, how: str, exitcode: int, setup: Setup) -> None:
    died = deaths.run("inherited_by_fork", how, setup=setup)
    assert died.returncode == 0
    assert died.has_traceback("ValueError: boom") if how == "raises" else died.stderr == "", died
    assert died.stdout == f"{exitcode}\n"
    root = died.only_session(COMPLETED)
    assert [span.name for span in died.inside(root)] == ["held", "step"]
    assert len(died.receiver.spans) == 3


@forks
@every_setup
def test_a_forked_child_works_in_the_session_of_its_parent_and_in_its_own(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("inherited_by_fork", "works", setup=setup)
    assert died.quiet == (0, "")
    root = died.session(COMPLETED)
    child = died.session(COMPLETED, name="child")
    assert died.span("in the child").parent_id == died.span("step").span_id
    assert died.span("in its session").parent_id == child.span_id
    assert [span.name for span in died.inside(root)] == ["in the child", "held", "step"]


@forks
@every_setup
def test_a_session_that_a_forked_child_leaves_open_ends_with_it(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("inherited_by_fork", "leaves_open", setup=setup)
    assert died.quiet == (0, "")
    died.session(COMPLETED)
    died.session(PROCESS_EXIT, name="child")


@forks
def test_a_thread_may_fork(deaths: Deaths) -> None:
    died = deaths.run("fork_of_a_thread")
    assert died.quiet == (0, "")
    died.session(COMPLETED)
    died.session(COMPLETED, name="child")


@forks
def test_a_fork_among_busy_threads_hangs_nobody(deaths: Deaths) -> None:
    # The parent exports at the end only: the SDK's exporters would share a connection with the children.
    at_the_end = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000"}
    died = deaths.run("fork_among_threads", env=at_the_end | ROOMY)
    assert died.quiet == (0, "")
    assert len(died.spans("session dropped")) == int(died.stdout)
    for number in range(10):
        died.span(f"session child {number}")


# -- threads, tasks, contexts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["thread", "context", "task", "threads"])
def test_a_session_can_end_anywhere(deaths: Deaths, where: str) -> None:
    died = deaths.run("end_elsewhere", where)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    assert died.span("step").parent_id == root.span_id
    assert died.is_alone("after")


def test_a_session_that_has_ended_can_be_used(deaths: Deaths) -> None:
    died = deaths.run("use_after_end")
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    assert not {"late", "agentops.tags"} & root.attributes.keys()
    assert died.is_alone("after")


@pytest.mark.parametrize("limit", ["idle", "in_all"])
def test_a_time_limit_ends_the_session(deaths: Deaths, limit: str) -> None:
    died = deaths.run("time_limit", limit)
    assert died.quiet == (0, "")
    root = died.only_session(TIMEOUT, open_spans=OPEN)
    assert root.end - root.start >= 300_000_000
    assert died.is_alone("after")


def test_a_session_lives_as_long_as_it_is_current_in_another_thread(deaths: Deaths) -> None:
    died = deaths.run("attached_elsewhere")
    assert died.quiet == (0, "")
    root = died.only_session(GARBAGE_COLLECTED)
    assert died.span("step").parent_id == root.span_id
    assert died.is_alone("after in the thread")
    assert died.is_alone("after")


@pytest.mark.parametrize("order", ["inner_first", "outer_first"])
def test_a_session_started_in_another_is_a_trace_of_its_own(deaths: Deaths, order: str) -> None:
    died = deaths.run("nested", order)
    assert died.quiet == (0, "")
    outer, inner = died.session(COMPLETED, name="outer"), died.session(COMPLETED, name="inner")
    assert [(link.trace_id, link.span_id) for link in inner.links] == [(outer.trace_id, outer.span_id)]
    assert died.span("in inner").parent_id == inner.span_id
    assert died.is_alone("after")


def test_the_block_of_a_session_may_have_another_in_it(deaths: Deaths) -> None:
    died = deaths.run("nested_blocks")
    assert died.quiet == (0, "")
    outer, inner = died.session(COMPLETED, name="outer"), died.session(COMPLETED, name="inner")
    step = died.span("step")
    assert step.parent_id == outer.span_id
    assert [(link.trace_id, link.span_id) for link in inner.links] == [(outer.trace_id, step.span_id)]
    assert died.span("in inner").parent_id == inner.span_id
    assert died.span("in outer").parent_id == outer.span_id
    assert died.is_alone("after")


@pytest.mark.parametrize("where", ["threads", "tasks"])
def test_sessions_at_the_same_time_do_not_mix(deaths: Deaths, where: str) -> None:
    died = deaths.run("at_the_same_time", where)
    assert died.quiet == (0, "")
    for number in range(5):
        root = died.session(COMPLETED, name=f"agent {number}")
        assert died.span(f"step {number}").parent_id == root.span_id


@every_setup
@pytest.mark.parametrize(
    ("how", "end"),
    [
        ("ended_inside", COMPLETED),
        ("ended_by_a_thread", COMPLETED),
        ("dropped", GARBAGE_COLLECTED),
        ("task", COMPLETED),
    ],
)
def test_nothing_becomes_part_of_a_session_that_is_gone(deaths: Deaths, how: str, end: End, setup: Setup) -> None:
    died = deaths.run("gone", how, setup=setup)
    assert died.quiet == (0, "")
    root = died.only_session(end)
    assert died.span("step").attributes[SESSION_ID] == root.attributes[SESSION_ID]
    assert died.is_alone("after")
