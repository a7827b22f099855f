"""Adopted sessions: those whose root is a span of somebody else, who ends it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.trace import StatusCode

from .. import clock, semconv
from .leak_guard import state_of
from .record import Record
from .sdk_spans import attributes_of
from .state import Ending, EndReason, EndState, ending_for
from .totals import totals_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan

    from .registry import Registry
    from .source import Source

_ON_END: Final = "_agentops_on_end"
"""Where an adopted span has what its end calls, among its own attributes."""

_CANCELLATIONS: Final = frozenset({"CancelledError", "Cancelled", "GeneratorExit"})
"""Last parts of an ``error.type`` that tell of no error, but of a run that nobody wants any longer."""


class AdoptedRecord(Record):
    """The record of a session whose root is a span of somebody else.

    The root is held as a twin (another object with the same state), so that the span itself can become garbage: that
    is how a run that was abandoned is noticed.

    It has no subclasses, so ask for its type: to ask by `isinstance`, of a subclass of an abstract base class, takes
    much longer.
    """

    __slots__ = ("_key", "is_left")

    def __init__(self, source: Source, name: str, session_id: str, ids: Mapping[str, str], span: SdkSpan) -> None:
        super().__init__(source, name, session_id, ids)
        trace_id, span_id = span.context.trace_id, span.context.span_id
        # Below the span of a request there may be several runs, so there the trace does not tell them apart.
        self._key: int = trace_id if span.parent is None else span_id << 128 | trace_id
        kind: type[trace.Span] = type(span)
        twin = kind.__new__(kind)
        twin.__dict__ = state_of(span)
        self.born(twin, span.context)
        self.is_left = False
        """Whether its framework ended it."""

    @property
    def key(self) -> int:
        return self._key

    def is_root(self, span_id: int) -> bool:
        return bool(self.lasting_context.span_id == span_id)


def hear_end(registry: Registry, record: AdoptedRecord, span: SdkSpan) -> None:
    """Has the session end when somebody ends its root: before that, for then nothing can be written on it."""
    vars(span)[_ON_END] = functools.partial(_end, registry, record, _leaving())
    span.__class__ = _adopted(type(span))  # type: ignore[assignment]


@functools.cache
def _adopted(kind: type[trace.Span]) -> type[trace.Span]:
    """The class of adopted spans of a class, with an end that we hear of before it happens.

    A class, not a function on the span: that would not keep the span alive, and of ``tracer.start_span().end()`` the
    span would be garbage before it has ended.
    """

    def end(span: trace.Span, end_time: int | None = None) -> None:
        vars(span)[_ON_END](end_time)

    return type(kind.__name__, (kind,), {"end": end, "__module__": kind.__module__})


def _end(registry: Registry, record: AdoptedRecord, left_before: int | None, end_time: int | None = None) -> None:
    """What ending the span calls, however often. The registry ends the twin, whose class is the plain one."""
    root: Any = record.span
    if not record.is_open or root is None:
        return
    record.is_left = True
    registry.learn(record, attributes_of(root))
    totals_of(record).add_usage_of_root(root, attributes_of(root))
    record.error_type = record.error_type or _recorded(root)
    leaving = _leaving()
    error = sys.exc_info()[1] if leaving != left_before else None
    ending = _ending_of(root, error if leaving is not None else None, end_time)
    if isinstance(error, GeneratorExit) or ending.reason is EndReason.GARBAGE_COLLECTED:
        # As for our own blocks: the garbage collector may be closing the generator, with any lock held.
        registry.end_soon(record, ending)
    else:
        registry.end(record, ending)


def _recorded(root: ReadableSpan) -> str | None:
    """The type of the exception that was recorded last on a root, where its framework says no more of an error."""
    if semconv.ERROR_TYPE not in attributes_of(root):
        for event in reversed(root.events):
            if event.name == semconv.EVENT_EXCEPTION and event.attributes:
                kind = event.attributes.get(semconv.EXCEPTION_TYPE)
                return kind if isinstance(kind, str) else None
    return None


def _leaving() -> int | None:
    """Which exception that is no error is passing here: one that leaves the block in which the span is."""
    error = sys.exc_info()[1]
    return None if error is None or isinstance(error, Exception) else id(error)


def _is_in_finalizer() -> bool:
    """Whether a ``__del__`` runs here: of a stream that nobody reads any longer.

    Some instrumentations call that an error and some a success, so who ends the span says more than how.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _ending_of(root: ReadableSpan, error: BaseException | None, end_time: int | None) -> Ending:
    time = clock.time_ns() if end_time is None else end_time
    if error is not None:
        ending = ending_for(error)
        return Ending(ending.state, ending.reason, signal=ending.signal, time=time)
    if _is_in_finalizer():
        return Ending(EndState.UNKNOWN, EndReason.GARBAGE_COLLECTED, time=time)
    if attributes_of(root).get(semconv.END_REASON) == EndReason.CANCELLED.value:
        # Of a decorated generator that was closed, whose end is written where no exception passes.
        return Ending(EndState.UNKNOWN, EndReason.CANCELLED, time=time)
    status = root.status.status_code
    if status is not StatusCode.ERROR:
        return Ending(EndState.SUCCESS, EndReason.COMPLETED, time=time)
    kind = str(attributes_of(root).get(semconv.ERROR_TYPE, "")).rpartition(".")[2]
    if kind in _CANCELLATIONS:
        return Ending(EndState.UNKNOWN, EndReason.CANCELLED, time=time)
    return Ending(EndState.ERROR, EndReason.EXCEPTION, time=time)
