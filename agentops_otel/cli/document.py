"""Sessions as JSON, for programs to read."""

from __future__ import annotations

from collections.abc import Mapping

from .read import StoredSession, StoredSpan

Document = Mapping[str, object]


def summary(session: StoredSession) -> Document:
    """What the list of sessions tells about one."""
    root = session.root
    return {
        "id": session.id,
        "name": session.name,
        "state": session.state,
        "reason": session.reason,
        "signal": session.signal,
        "start_time_unix_nano": root.start,
        "duration": root.duration,
        "input_tokens": session.input_tokens,
        "output_tokens": session.output_tokens,
        "error_type": root.error_type,
        "trace_id": root.trace_id,
        "span_count": len(session),
    }


def document(session: StoredSession) -> Document:
    """Everything that is shown of a session. The spans are a flat list that starts with the root."""
    spans = [session.root, *(span for _, span in session.walk())]
    return {**summary(session), "spans": [_span(span) for span in spans]}


def _span(span: StoredSpan) -> Document:
    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_id or None,
        "name": span.name,
        "start_time_unix_nano": span.start,
        "duration": span.duration,
        "input_tokens": span.input_tokens,
        "output_tokens": span.output_tokens,
        "is_error": span.is_error,
        "error_type": span.error_type,
        "end_reason": span.end_reason,
    }
