"""What an exception that leaves a block means, and that a session ends once, whoever tries and in what order."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.spans import Spans, ending

import agentops_otel as ao
from agentops_otel.sessions.state import COMPLETED, Ending, EndReason, EndState, ending_for


class Cancelled(asyncio.CancelledError):
    pass


class Fatal(BaseException):
    pass


BUILT_IN = [kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, Exception)]


FROM_OUTSIDE: list[tuple[type[BaseException], EndReason]] = [
    (GeneratorExit, EndReason.CANCELLED),
    (asyncio.CancelledError, EndReason.CANCELLED),
    (Cancelled, EndReason.CANCELLED),
    (KeyboardInterrupt, EndReason.SIGNAL),
    (SystemExit, EndReason.PROCESS_EXIT),
]


class TestEndingFor:
    def test_nothing_is_completed(self) -> None:
        assert ending_for(None) == COMPLETED

    @pytest.mark.parametrize(("kind", "reason"), FROM_OUTSIDE)
    def test_an_end_from_outside_is_unknown(self, kind: type[BaseException], reason: EndReason) -> None:
        ending = ending_for(kind())
        assert (ending.state, ending.reason) == (EndState.UNKNOWN, reason)
        assert ending.signal == ("SIGINT" if reason is EndReason.SIGNAL else None)
        assert ending.exception is None

    @pytest.mark.parametrize("kind", BUILT_IN)
    def test_every_exception_is_an_error(self, kind: type[Exception]) -> None:
        error = kind.__new__(kind, "many", [ValueError()])
        assert ending_for(error) == Ending(EndState.ERROR, EndReason.EXCEPTION, exception=error)

    def test_an_exception_that_nobody_knows_is_an_error(self) -> None:
        error = Fatal()
        assert ending_for(error) == Ending(EndState.ERROR, EndReason.EXCEPTION, exception=error)

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="has no groups of exceptions")
    def test_a_group_is_what_in_it_is_no_error_and_else_an_error(self) -> None:
        group: Any = vars(builtins)["BaseExceptionGroup"]

        class Own(group):  # type: ignore[misc]
            """Stays a group of this class, also of errors alone."""

        assert ending_for(group("", [ValueError(), Own("", [KeyboardInterrupt()])])).reason is EndReason.SIGNAL
        for error in (group("", [ValueError()]), Own("", [ValueError()]), group("", [Own("", [ValueError()])])):
            assert ending_for(error) == Ending(EndState.ERROR, EndReason.EXCEPTION, exception=error)

    def test_what_only_looks_like_a_group_is_an_error(self) -> None:
        error: Any = Fatal()
        for exceptions in ((), (error,), (SystemExit(),)):
            error.exceptions = exceptions
            assert ending_for(error) == Ending(EndState.ERROR, EndReason.EXCEPTION, exception=error)

    def test_only_completed_is_normal(self) -> None:
        for reason in EndReason:
            assert Ending(EndState.UNKNOWN, reason).is_normal is (reason is EndReason.COMPLETED)

    @pytest.mark.parametrize(
        ("state", "written", "said_success"),
        [
            (None, EndState.SUCCESS, False),
            (EndState.SUCCESS, EndState.SUCCESS, True),
            (EndState.ERROR, EndState.ERROR, False),
            (EndState.UNKNOWN, EndState.UNKNOWN, False),
        ],
    )
    def test_a_success_counts_as_said_only_when_it_was(
        self, state: EndState | None, written: EndState, said_success: bool
    ) -> None:
        ending = Ending.said(state, EndReason.COMPLETED)
        assert (ending.state, ending.said_success) == (written, said_success)


Attempt = Callable[[ao.Session], object]


def leave_by(error: BaseException | None) -> Attempt:
    def attempt(session: ao.Session) -> None:
        with suppress(BaseException), session:
            if error is not None:
                raise error

    return attempt


ATTEMPTS: dict[str, tuple[Attempt, tuple[str, str, str]]] = {
    "end": (lambda s: s.end(), ("success", "completed", "UNSET")),
    "end success": (lambda s: s.end("success"), ("success", "completed", "OK")),
    "end error": (lambda s: s.end("error"), ("error", "completed", "ERROR")),
    "end unknown": (lambda s: s.end("unknown", "timeout"), ("unknown", "timeout", "UNSET")),
    "end all": (lambda s: ao.end_all_sessions("unknown"), ("unknown", "completed", "UNSET")),
    "leave": (leave_by(None), ("success", "completed", "UNSET")),
    "raise": (leave_by(ValueError()), ("error", "exception", "ERROR")),
    "interrupt": (leave_by(KeyboardInterrupt()), ("unknown", "signal", "UNSET")),
    "exit": (leave_by(SystemExit()), ("unknown", "process_exit", "UNSET")),
    "cancel": (leave_by(asyncio.CancelledError()), ("unknown", "cancelled", "UNSET")),
    "close": (leave_by(GeneratorExit()), ("unknown", "cancelled", "UNSET")),
}
SOME = st.lists(st.sampled_from(sorted(ATTEMPTS)), min_size=1, max_size=6)
PER_EXAMPLE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(attempts=SOME)
@PER_EXAMPLE
def test_of_attempts_one_after_the_other_the_first_wins(spans: Spans, attempts: list[str]) -> None:
    spans.clear()
    session = ao.start_session()
    for name in attempts:
        ATTEMPTS[name][0](session)
        assert not session.is_open
    assert ending(spans.root()) == ATTEMPTS[attempts[0]][1]
    assert ao.current_session() is None


@given(attempts=SOME, with_child=st.booleans())
@PER_EXAMPLE
def test_of_attempts_at_the_same_time_one_wins(spans: Spans, attempts: list[str], with_child: bool) -> None:
    spans.clear()
    with ao.start_session() as session:
        child = spans.tracer.start_span("child") if with_child else None
        barrier = threading.Barrier(len(attempts))

        def attempt(name: str) -> None:
            barrier.wait(10)
            ATTEMPTS[name][0](session)

        threads = [threading.Thread(target=attempt, args=(name,)) for name in attempts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if child is not None:
            child.end()
    assert ending(spans.root()) in [ATTEMPTS[name][1] for name in attempts]
    assert len(spans.all()) == 1 + with_child
