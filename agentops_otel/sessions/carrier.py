"""A session in other processes and services: out as W3C Trace Context and Baggage, and in from there.

What comes in is untrusted: ids are checked as those that users pass in, and what makes no sense is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .. import semconv
from . import arguments
from .context import BAGGAGE_KEY
from .record import JOINED, Record

_TRACE_CONTEXT = TraceContextTextMapPropagator()
_BAGGAGE = W3CBaggagePropagator()

_OTHER_IDS = (semconv.GEN_AI_CONVERSATION_ID, semconv.USER_ID)


def carrier_of(
    record: Record, parent: trace.SpanContext | None = None, *, around: context.Context | None = None
) -> dict[str, str]:
    """The headers by which work elsewhere becomes part of a session, below ``parent`` (default: its root).

    They carry the session's ids, and what else is in the baggage of ``around`` (default: the current context).
    """
    span = trace.NonRecordingSpan(parent if parent is not None else record.lasting_context)
    outside = trace.set_span_in_context(span, with_ids(record, around))
    carrier: dict[str, str] = {}
    _TRACE_CONTEXT.inject(carrier, outside)
    if carrier:  # no SDK, no trace
        _BAGGAGE.inject(carrier, outside)
    return carrier


def with_ids(record: Record, around: context.Context | None = None) -> context.Context:
    """The context ``around`` (default: the current one) with the ids of a session in its baggage."""
    ids = {semconv.SESSION_ID: record.session_id, **record.ids}
    for name, value in ids.items():
        around = baggage.set_baggage(name, value, around)
    return around if around is not None else context.get_current()


def record_in(around: context.Context) -> Record | None:
    """The session elsewhere that a context from outside names in its baggage; None if it names none."""
    entries: Any = around.get(BAGGAGE_KEY)
    if not isinstance(entries, dict):
        return None
    session_id = _checked(entries, semconv.SESSION_ID)
    if session_id is None:
        return None
    ids = {name: value for name in _OTHER_IDS if (value := _checked(entries, name)) is not None}
    record = Record(None, None, session_id, ids)
    record.owner = JOINED
    record.span = trace.INVALID_SPAN
    return record


def joined(carrier: Mapping[str, str]) -> tuple[Record | None, context.Context]:
    """The session that checked headers are of, and the context they make; None if they are of no session."""
    outside = _BAGGAGE.extract(carrier, _TRACE_CONTEXT.extract(carrier, context.Context()))
    record = record_in(outside)
    if record is not None:
        record.lasting_context = record.live_context = trace.get_current_span(outside).get_span_context()
    return record, outside


def _checked(entries: Mapping[str, object], name: str) -> str | None:
    try:
        return arguments.identifier(name, entries.get(name))
    except (TypeError, ValueError):
        return None
