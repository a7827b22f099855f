"""How a session can end: the states, the reasons, and what an exception that leaves the block means."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .. import semconv


class EndState(str, Enum):
    """How a session ended, as far as that is known (``agentops.session.end_state``)."""

    SUCCESS = "success"
    ERROR = "error"
    UNKNOWN = "unknown"


class EndReason(str, Enum):
    """Why a session ended (``agentops.session.end_reason``)."""

    COMPLETED = "completed"
    """The caller ended it, or its block or function was left normally."""
    EXCEPTION = "exception"
    """An exception left the block, or ended the program."""
    CANCELLED = "cancelled"
    """The task was cancelled or the generator closed."""
    SIGNAL = "signal"
    """Ctrl-C, SIGTERM or SIGHUP; ``agentops.session.exit.signal`` says which."""
    GARBAGE_COLLECTED = "garbage_collected"
    """Nobody held the session any longer."""
    PROCESS_EXIT = "process_exit"
    """The program ended while it was open."""
    PROVIDER_SHUTDOWN = "provider_shutdown"
    """The TracerProvider was shut down while it was open."""
    PROCESS_LOST = "process_lost"
    """The process died without a chance to end it (SIGKILL, crash)."""
    TIMEOUT = "timeout"
    """It was idle for longer, or lasted longer, than the user allowed."""


@dataclass(frozen=True)
class Ending:
    """One end of a session: what is written on the root span, and when it happened."""

    state: EndState
    reason: EndReason
    said_success: bool = False
    """The caller said success, so the status becomes OK; otherwise OK is left to users (trace API specification)."""
    exception: BaseException | None = None
    signal: str | None = None
    time: int | None = None
    """Nanoseconds since the epoch; None is now."""

    @classmethod
    def said(cls, state: EndState | None, reason: EndReason) -> Ending:
        """What a caller says: without a state it is a success that nobody vouches for."""
        return cls(state or EndState.SUCCESS, reason, said_success=state is EndState.SUCCESS)

    is_normal: bool = field(init=False)
    """A normal end leaves descendants that someone still holds alone; any other ends them too."""
    attributes: Mapping[str, str] = field(init=False)
    """What it writes on the root span and on the ``session.end`` event."""

    def __post_init__(self) -> None:
        attributes = {semconv.END_STATE: self.state.value, semconv.END_REASON: self.reason.value}
        if self.signal is not None:
            attributes[semconv.EXIT_SIGNAL] = self.signal
        object.__setattr__(self, "is_normal", self.reason is EndReason.COMPLETED)
        object.__setattr__(self, "attributes", attributes)


COMPLETED = Ending(EndState.SUCCESS, EndReason.COMPLETED)
PROCESS_EXIT = Ending(EndState.UNKNOWN, EndReason.PROCESS_EXIT)
PROVIDER_SHUTDOWN = Ending(EndState.UNKNOWN, EndReason.PROVIDER_SHUTDOWN)
TIMEOUT = Ending(EndState.UNKNOWN, EndReason.TIMEOUT)


def ending_for(error: BaseException | None) -> Ending:
    """What it means that a block was left by ``error`` (None: left normally)."""
    if error is None:
        return COMPLETED
    inner = _innermost(error)
    if isinstance(inner, GeneratorExit) or _is_cancellation(inner):
        return Ending(EndState.UNKNOWN, EndReason.CANCELLED)
    if isinstance(inner, KeyboardInterrupt):
        return Ending(EndState.UNKNOWN, EndReason.SIGNAL, signal="SIGINT")
    if isinstance(inner, SystemExit):
        return PROCESS_EXIT
    return Ending(EndState.ERROR, EndReason.EXCEPTION, exception=error)


def _innermost(error: BaseException) -> BaseException:
    """Of a group that is no error, because something in it is none, that: a task group raises it for its tasks."""
    # Before Python 3.11 groups are a library's, which is not imported for this.
    group = getattr(builtins, "BaseExceptionGroup", None) or getattr(
        sys.modules.get("exceptiongroup"), "BaseExceptionGroup", None
    )
    while group is not None and isinstance(error, group) and not isinstance(error, Exception):
        inner = next((found for found in error.exceptions if not isinstance(found, Exception)), None)
        if inner is None:  # of a class of its own there may be one of errors alone
            break
        error = inner
    return error


def _is_cancellation(error: BaseException) -> bool:
    # A program that has not imported a library cannot have been cancelled by it; importing asyncio takes time.
    return any(
        module in sys.modules and isinstance(error, getattr(sys.modules[module], name))
        for module, name in (("asyncio", "CancelledError"), ("trio", "Cancelled"))
    )
