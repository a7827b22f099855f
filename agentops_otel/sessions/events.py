"""Log events of a session, by the OpenTelemetry session conventions: ``session.start`` and ``session.end``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from .. import clock, semconv
from .record import Record
from .sdk_spans import attributes_of
from .state import Ending, EndState


def emit(
    name: str,
    attributes: Mapping[str, AttributeValue],
    span_context: trace.SpanContext,
    *,
    time: int | None = None,
    is_error: bool = False,
) -> None:
    """Emits a log event with the given span as its context, if the program has an SDK LoggerProvider."""
    provider = logger_provider()
    if provider is None:
        return
    from opentelemetry._logs import LogRecord, SeverityNumber

    severity = SeverityNumber.ERROR if is_error else SeverityNumber.INFO
    provider.get_logger(semconv.SCOPE).emit(
        LogRecord(
            timestamp=time if time is not None else clock.time_ns(),
            severity_number=severity,
            severity_text=severity.name,
            event_name=name,
            attributes=dict(attributes),
            context=trace.set_span_in_context(trace.NonRecordingSpan(span_context)),
        )
    )


class SessionEvents:
    """Observer of the registry that emits the two events.

    `session.start` goes out at once, so that a backend sees a running session, and one that was lost.
    """

    def session_started(self, record: Record) -> None:
        if record.is_recorded:
            start_time = getattr(record.span, "start_time", None)
            emit(semconv.EVENT_SESSION_START, _ids(record), record.lasting_context, time=start_time)

    def session_ended(self, record: Record, ending: Ending, end_time: int) -> None:
        if not record.is_recorded:
            return
        attributes: dict[str, AttributeValue] = {
            **_ids(record),
            **ending.attributes,
            semconv.DURATION: record.seconds_until(end_time),
        }
        if record.totals is not None:
            attributes.update(record.totals.attributes())
        emit(
            semconv.EVENT_SESSION_END,
            attributes,
            record.lasting_context,
            time=end_time,
            is_error=ending.state is EndState.ERROR,
        )


def logger_provider() -> Any:
    """The global LoggerProvider of the SDK; None where nobody would get what is emitted."""
    # Without the SDK's logs nobody can have set one; asking the API for one that is not set is slow, and so is
    # importing it.
    if "opentelemetry.sdk._logs" not in sys.modules:
        return None
    provider = sys.modules["opentelemetry._logs"].get_logger_provider()
    return provider if hasattr(provider, "force_flush") else None


def _ids(record: Record) -> dict[str, AttributeValue]:
    ids: dict[str, AttributeValue] = {semconv.SESSION_ID: record.session_id}
    previous = attributes_of(record.span).get(semconv.SESSION_PREVIOUS_ID)
    if previous is not None:
        ids[semconv.SESSION_PREVIOUS_ID] = previous
    return {**ids, **record.ids}
