"""The writing of an end: what stands on a root span, and on a descendant that nobody else ended."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from .. import semconv
from ..shield import Shield, absorb, encodable, text_of
from .adopted import AdoptedRecord
from .exceptions import error_type, record_exception
from .record import Record, answer_invalid, silence
from .sdk_spans import attributes_of, write
from .state import Ending, EndState

_OK = Status(StatusCode.OK)
_NOTHING: Mapping[str, AttributeValue] = {}
_ENDING_SPAN = Shield("ending a span that was left open in a session")
_WARNING = Shield("warning of a session that nobody ended")


def not_before_start(span: trace.Span, time: int) -> int:
    """``time``, in nanoseconds, or when the span started if that is later: clocks jump."""
    return max(time, getattr(span, "start_time", None) or 0)


def known_since_start(record: Record) -> Mapping[str, AttributeValue]:
    """What became known of a session since its start: its totals, and ids that were learned."""
    return record.ids if record.totals is None else {**record.ids, **record.totals.attributes()}


def end_root(record: Record, root: trace.Span, ending: Ending, end_time: int) -> None:
    """Writes totals, state, reason and status on a root span and ends it."""
    is_taken = type(record) is AdoptedRecord and not record.is_left
    try:
        if root.is_recording():
            attributes = ending.attributes
            if ending.state is EndState.ERROR:
                attributes = {**attributes, semconv.ERROR_TYPE: _error_type(record, root, ending)}
            known = known_since_start(record)
            write(root, {**known, **attributes} if known else attributes)
            if ending.state is EndState.ERROR:
                _write_error(root, ending.exception)
            elif ending.said_success:
                root.set_status(_OK)
    except Exception as error:  # noqa: BLE001
        absorb("writing how a session ended", error)
    try:
        if is_taken:
            _end_for_its_owner(root, end_time)
        else:
            root.end(end_time)
    except Exception as error:  # noqa: BLE001
        absorb("ending the root span of a session", error)


def end_descendant(span: trace.Span, ending: Ending, end_time: int) -> None:
    """Ends a span that was open when its session, or its last reference, went; marks it with the reason."""
    with _ENDING_SPAN:
        if span.is_recording():
            marks = {semconv.END_REASON: ending.reason.value}
            if ending.signal is not None:
                marks[semconv.EXIT_SIGNAL] = ending.signal
            _end_for_its_owner(span, not_before_start(span, end_time), marks)


def _end_for_its_owner(span: trace.Span, end_time: int, marks: Mapping[str, AttributeValue] = _NOTHING) -> None:
    kind = type(span)
    silence(span)  # first, and past it by the class: its owner may be writing to it in another thread
    if marks:
        kind.set_attributes(span, marks)  # in older releases of the SDK the other method calls this one
    kind.end(span, end_time)
    answer_invalid(span)


def warning_of(record: Record) -> Callable[[], None]:
    """Warns of a session, open now, that nobody will have ended: with the file and line at which it was started."""
    root = record.span
    if root is None or not root.is_recording() or type(record) is AdoptedRecord:  # not the user forgot that one
        return lambda: None
    attributes = attributes_of(root)
    path, line = attributes.get(semconv.CODE_FILE_PATH, "<unknown>"), attributes.get(semconv.CODE_LINE_NUMBER, 0)

    def warn() -> None:
        with _WARNING:
            # With a registry of its own, so that a million leaks do not fill the one of the module.
            warnings.warn_explicit(
                f"session {record.session_name!r} was never ended: nobody holds it any longer",
                ResourceWarning,
                str(path),
                int(line),
                registry={},
            )

    return warn


def _error_type(record: Record, root: trace.Span, ending: Ending) -> str:
    if ending.exception is not None:
        return error_type(ending.exception)
    return record.error_type or attributes_of(root).get(semconv.ERROR_TYPE) or semconv.ERROR_TYPE_OTHER


def _write_error(root: trace.Span, error: BaseException | None) -> None:
    if error is None:
        if getattr(root, "status", _OK).status_code is not StatusCode.ERROR:  # who set it may have described it
            root.set_status(Status(StatusCode.ERROR))
    else:
        root.set_status(Status(StatusCode.ERROR, encodable(f"{type(error).__name__}: {text_of(error)}")))
        record_exception(root, error)
