"""Events: what programs of the AgentOps SDK before 0.4 record of calls they made themselves; here they are spans."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from .. import clock, semconv
from ..decorators.content import Content, Parameters
from ..runtime import runtime
from ..sessions.exceptions import error_type, record_exception
from ..shield import Shield, encodable, text_of
from .recorded import count_action
from .semconv import SpanAttributes
from .settings import say_once
from .told_twice import is_told
from .traces import only

_RECORDING = Shield("recording an event")


class EventType(Enum):
    """The kinds of events."""

    LLM = "llms"
    ACTION = "actions"
    API = "apis"
    TOOL = "tools"
    ERROR = "errors"


def _now() -> str:
    return datetime.fromtimestamp(clock.time_ns() / 1e9, timezone.utc).isoformat()


@dataclass(init=False)
class Event:
    """What happened from ``init_timestamp`` (when it was made) until it is recorded.

    Takes its fields by position or name, and whatever else there is by name: callers pass on what a model answered.
    """

    event_type: str = ""
    params: Any = None
    returns: Any = None
    init_timestamp: str = field(default_factory=_now)
    end_timestamp: str | None = None
    agent_id: Any = None
    id: UUID = field(default_factory=uuid4)
    session_id: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields = dataclasses.fields(self)
        for one in fields:
            made = one.default_factory
            setattr(self, one.name, made() if made is not dataclasses.MISSING else one.default)
        vars(self).update({one.name: value for one, value in zip(fields, args, strict=False)} | kwargs)


@dataclass(init=False)
class ActionEvent(Event):
    """Anything; ``action_type`` is what it is called."""

    event_type: str = EventType.ACTION.value
    action_type: str | None = None
    logs: Any = None
    screenshot: str | None = None


@dataclass(init=False)
class LLMEvent(Event):
    """A call of a model."""

    event_type: str = EventType.LLM.value
    thread_id: Any = None
    prompt: Any = None
    prompt_tokens: int | None = None
    completion: Any = None
    completion_tokens: int | None = None
    cost: float | None = None
    model: str | None = None


@dataclass(init=False)
class ToolEvent(Event):
    """A call of a tool."""

    event_type: str = EventType.TOOL.value
    name: str | None = None
    logs: Any = None


@dataclass(init=False)
class ErrorEvent(Event):
    """An error; ``trigger_event`` is what failed."""

    event_type: str = EventType.ERROR.value
    trigger_event: Event | None = None
    exception: BaseException | None = None
    error_type: str | None = None
    code: str | None = None
    details: Any = None
    logs: str | None = None

    @property
    def timestamp(self) -> str:
        return self.init_timestamp


def record(event: Any) -> Any:
    """Writes an event as a span of what is current here, and returns it.

    A call of a model is a ``chat`` span with its tokens; none, where the session has one already, because the client is
    instrumented, too. One of a tool is an ``execute_tool`` span, any other event a ``task`` span. An error stands on
    the span of what failed, or on the current one. Where nothing is current, as in a thread that is older than the
    session, all of it belongs to the session that is open, if there is but one.

    What goes in and comes out is written only where ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` wants it on
    spans.
    """
    with _RECORDING:
        if isinstance(event, Event):
            event.end_timestamp = event.end_timestamp or _now()
            context = only()
            with nullcontext() if context is None else context.session.attach():
                _write_any(event)
        else:
            say_once(f"record() takes events, not {type(event).__name__}: nothing is recorded", logging.WARNING)
    return event


def _write_any(event: Event) -> None:
    if not isinstance(event, ErrorEvent):
        _write(event)
    elif isinstance(event.trigger_event, Event) and not isinstance(event.trigger_event, ErrorEvent):
        _write(event.trigger_event, event)
    else:
        _write_error(trace.get_current_span(), event)


def _write(event: Any, error: ErrorEvent | None = None) -> None:
    tracer = runtime.tracer()
    if tracer is None:
        return
    if error is None and isinstance(event, LLMEvent) and is_told(event):
        return
    if isinstance(event, ActionEvent) or event.event_type in (EventType.ACTION, EventType.ACTION.value):
        count_action(runtime.current())
    describe = next(found for kind in type(event).__mro__ if (found := _SPANS.get(kind)) is not None)
    name, attributes, names, said, returned = describe(event)
    span = tracer.start_span(
        name,
        attributes={key: value for key, value in attributes.items() if value is not None},
        start_time=_nanoseconds(event.init_timestamp),
    )
    if runtime.settings.content_on_spans and span.is_recording():
        content = Content(runtime.settings, names[:1], names[1:])
        if said is not None:
            content.called(_NAMED, (), said)
        if returned is not None:
            content.returned(returned)
        span.set_attributes({**content.input, **content.output})
    if error is not None:
        span.set_attribute(semconv.ERROR_TYPE, _write_error(span, error))
        span.set_status(Status(StatusCode.ERROR))
    span.end(_nanoseconds(event.end_timestamp))


_NAMED = Parameters(lambda **named: None)

_Description = tuple[str, dict[str, AttributeValue | None], tuple[str, str], Mapping[str, Any] | None, Any]
"""Name, attributes, the attributes of what goes in and what comes out, and these two."""


def _named(said: Any) -> Mapping[str, Any] | None:
    return said if said is None or isinstance(said, Mapping) else {"params": said}


def _model(event: Any) -> _Description:
    model = None if event.model is None else encodable(text_of(event.model))
    attributes: dict[str, AttributeValue | None] = {
        semconv.GEN_AI_OPERATION_NAME: "chat",
        semconv.GEN_AI_REQUEST_MODEL: model,
        semconv.GEN_AI_USAGE_INPUT_TOKENS: event.prompt_tokens,
        semconv.GEN_AI_USAGE_OUTPUT_TOKENS: event.completion_tokens,
        SpanAttributes.LLM_USAGE_TOOL_COST: event.cost,
    }
    said = None if event.prompt is None else {"prompt": event.prompt}
    return f"chat {model or ''}".strip(), attributes, (semconv.INPUT, semconv.OUTPUT), said, event.completion


def _tool(event: Any) -> _Description:
    name = encodable(text_of(event.name)) if event.name else "tool"
    attributes: dict[str, AttributeValue | None] = {
        semconv.GEN_AI_OPERATION_NAME: semconv.TOOL_OPERATION,
        semconv.GEN_AI_TOOL_NAME: name,
        semconv.GEN_AI_TOOL_TYPE: semconv.TOOL_TYPE_FUNCTION,
    }
    names = (semconv.GEN_AI_TOOL_CALL_ARGUMENTS, semconv.GEN_AI_TOOL_CALL_RESULT)
    return f"{semconv.TOOL_OPERATION} {name}", attributes, names, _named(event.params), event.returns


def _action(event: Any) -> _Description:
    # What it is called stood in other fields, as the releases went by.
    said = getattr(event, "action_type", None) or (None if event.event_type in _EVENT_TYPES else event.event_type)
    name = encodable(text_of(said or "action"))
    names = (semconv.INPUT, semconv.OUTPUT)
    return f"task {name}", {semconv.SPAN_KIND: "task"}, names, _named(event.params), event.returns


_SPANS: Mapping[type, Callable[[Any], _Description]] = {LLMEvent: _model, ToolEvent: _tool, Event: _action}
_EVENT_TYPES = {"", *EventType, *(kind.value for kind in EventType)}


def _write_error(span: trace.Span, event: ErrorEvent) -> str:
    """Records an error; returns its type."""
    if isinstance(event.exception, BaseException):
        record_exception(span, event.exception)
        return error_type(event.exception)
    kind = encodable(text_of(event.error_type or semconv.ERROR_TYPE_OTHER))
    message = encodable(text_of(event.details or ""))
    span.add_event(semconv.EVENT_EXCEPTION, {semconv.EXCEPTION_TYPE: kind, semconv.EXCEPTION_MESSAGE: message})
    return kind


def _nanoseconds(timestamp: Any) -> int:
    """Of a time in the ISO format; now, if it is none, or one that OTLP has not: it would cost the spans beside it."""
    try:
        time = int(datetime.fromisoformat(timestamp).timestamp() * 1e9)
    except (TypeError, ValueError, OverflowError):
        return clock.time_ns()
    return time if 0 <= time < 2**64 else clock.time_ns()
