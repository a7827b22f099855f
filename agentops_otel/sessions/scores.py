"""Scores: what somebody thinks of a session, as ``gen_ai.evaluation.result`` events of the GenAI conventions."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from .. import semconv
from ..shield import Shield
from . import arguments
from .events import emit, logger_provider
from .recent import Known

_SCORING = Shield("recording a score")


def checked(name: object, value: object, label: object, explanation: object) -> dict[str, AttributeValue]:
    """The attributes of a score; TypeError or ValueError that names the argument."""
    said: dict[str, AttributeValue] = {semconv.GEN_AI_EVALUATION_NAME: arguments.text("name", name)}
    if value is not None:
        said[semconv.GEN_AI_EVALUATION_SCORE_VALUE] = arguments.number("value", value)
    elif label is None:
        raise ValueError("value must be a number where no label is given")
    if label is not None:
        said[semconv.GEN_AI_EVALUATION_SCORE_LABEL] = arguments.text("label", label)
    if explanation is not None:
        said[semconv.GEN_AI_EVALUATION_EXPLANATION] = arguments.text("explanation", explanation)
    return said


def write(
    session: Known, root: trace.Span | None, tracer: trace.Tracer | None, score: dict[str, AttributeValue]
) -> None:
    """Writes a score of a session, whose root span is ``root`` if it is open here.

    The conventions have a log event for it. Where the program has no LoggerProvider, the score must arrive too: on
    the root while that is open, afterwards on a span of its own in the trace of the session.
    """
    with _SCORING:
        ids: dict[str, AttributeValue] = {semconv.SESSION_ID: session.session_id, **session.ids}
        if logger_provider() is not None:
            emit(semconv.EVENT_EVALUATION_RESULT, {**ids, **score}, session.span_context)
        elif root is not None and root.is_recording():
            root.add_event(semconv.EVENT_EVALUATION_RESULT, score)
        elif tracer is not None:
            _on_span_of_its_own(session, tracer, {**ids, **score}, score)


def _on_span_of_its_own(
    session: Known, tracer: trace.Tracer, attributes: dict[str, AttributeValue], score: dict[str, AttributeValue]
) -> None:
    around: Any = Context()
    if session.span_context.is_valid:
        around = trace.set_span_in_context(trace.NonRecordingSpan(session.span_context), around)
    span = tracer.start_span(semconv.EVENT_EVALUATION_RESULT, context=around, attributes=attributes)
    span.add_event(semconv.EVENT_EVALUATION_RESULT, score)
    span.end()
