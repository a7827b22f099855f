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
from ..shield import Shield, encodable
from . import arguments
from .context import BAGGAGE_KEY
from .record import JOINED, Record

_TRACE_CONTEXT = TraceContextTextMapPropagator()
_BAGGAGE = W3CBaggagePropagator()

_OTHER_IDS = (semconv.GEN_AI_CONVERSATION_ID, semconv.USER_ID)
_WRITING = Shield("writing the headers of a session")


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
    if carrier or record.owner == JOINED:  # without an SDK there is no trace; who was joined may have sent none
        with _WRITING:  # what else is in the baggage may be any object
            _BAGGAGE.inject(carrier, outside)
    return carrier


def with_ids(record: Record, around: context.Context | None = None) -> context.Context:
    """The context ``around`` (default: the current one) with the ids of a session in its baggage, and of no other."""
    here = context.get_current() if around is None else around
    # First, because of what is too much for a header the end is cut off.
    entries: dict[str, object] = {semconv.SESSION_ID: record.session_id, **record.ids}
    there = baggage.get_all(here)
    is_of_another = there.get(semconv.SESSION_ID, record.session_id) != record.session_id
    for name, value in there.items():
        if name not in entries and not (is_of_another and name in _OTHER_IDS):
            entries[name] = value
    return context.Context({**here, BAGGAGE_KEY: entries})


def without_ids(around: context.Context) -> context.Context:
    """A context without ids of a session in its baggage."""
    for name in (semconv.SESSION_ID, *_OTHER_IDS):
        if baggage.get_baggage(name, around) is not None:
            around = baggage.remove_baggage(name, around)
    return around


def record_in(around: context.Context) -> Record | None:
    """The session elsewhere that a context from outside names in its baggage; None if it names none."""
    entries: Any = around.get(BAGGAGE_KEY)
    if not isinstance(entries, dict):
        return None
    session_id = _checked(entries, semconv.SESSION_ID)
    if session_id is None:
        return None
    record = Record(None, None, session_id, ids_in(entries))
    record.owner = JOINED
    record.span = trace.INVALID_SPAN
    return record


def joined(carrier: Mapping[str, str]) -> tuple[Record | None, context.Context]:
    """The session that checked headers are of, and the context they make; None if they are of no session."""
    # Of bytes that are no text, `os.environ` and some servers make characters that the propagators cannot encode.
    headers = {name: value for name, value in carrier.items() if value == encodable(value)}
    outside = _BAGGAGE.extract(headers, _TRACE_CONTEXT.extract(headers, context.Context()))
    record = record_in(outside)
    if record is not None:
        record.lasting_context = record.live_context = trace.get_current_span(outside).get_span_context()
    return record, outside


def ids_in(entries: Mapping[str, object]) -> dict[str, str]:
    """The ids other than ``session.id`` among these baggage entries or attributes, as far as they make sense."""
    if not entries:
        return {}
    return {name: value for name in _OTHER_IDS if (value := _checked(entries, name)) is not None}


def _checked(entries: Mapping[str, object], name: str) -> str | None:
    if name not in entries:
        return None
    try:
        return arguments.identifier(name, entries[name])
    except (TypeError, ValueError):
        return None
