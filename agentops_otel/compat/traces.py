"""Traces: sessions that are started by one call and ended by another, and held here in between.

Our own handles own their sessions: drop one, and it ends. Programs that were written for the AgentOps SDK throw away
what `start_trace` and `start_session` return, and expect the session to go on until it is ended, or the process ends.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from opentelemetry import trace as otel_trace
from opentelemetry.util.types import AttributeValue

from .. import api, semconv
from ..decorators.encoding import encode
from ..runtime import runtime
from ..sessions import arguments
from ..sessions.handle import Session as Handle
from ..sessions.starting import Plan
from ..sessions.state import EndState
from . import settings, span_names
from .semconv import LEGACY, AgentAttributes, CoreAttributes, SpanAttributes, ToolAttributes, WorkflowAttributes
from .states import SUCCESS, other, parse

Tags = Mapping[str, Any] | Iterable[str] | None

DEFAULT_NAME = "session"
"""The name of a trace that was given none: in our words it has none."""

_SOME = 16
"""So many may be held that are over, and as many as are open."""

_logger = logging.getLogger("agentops_otel")

_held: dict[str, TraceContext] = {}
"""The open ones by their session ids, oldest first; and for a while some that somebody else has ended."""


class TraceContext:
    """A session that was started by `start_trace`. Use it in ``with``, or give it to `end_trace`. Thread-safe."""

    def __init__(self, session: Handle, is_init_trace: bool = False) -> None:
        self.session = session
        """The session: with all that `agentops_otel.Session` can."""
        self.is_init_trace = is_init_trace
        """Whether `init` has started it."""
        self.token = None
        """There is none: what was current before is found without."""

    @property
    def span(self) -> otel_trace.Span:
        """The root span; one that only has its ids when the session is over."""
        record = self.session._record
        return record if record.is_open else otel_trace.NonRecordingSpan(record.lasting_context)

    def __enter__(self) -> TraceContext:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.end(SUCCESS)
        else:
            self.session.__exit__(kind, error, traceback)
            _held.pop(self.session.id, None)

    def end(self, end_state: object) -> None:
        """Ends it, if it is open; never waits. What is no end state is kept as ``agentops.legacy.end_state``."""
        own = other(end_state)
        if own is not None:
            self.session.set_attribute(f"{LEGACY}.end_state", own)
        self.session.end(parse(end_state))
        _held.pop(self.session.id, None)


# -- starting and ending --


def start_trace(trace_name: str = DEFAULT_NAME, tags: Tags = None) -> TraceContext:
    """Starts a session, which goes on until it is ended, by `end_trace` or the end of the process.

    It is current in this thread or task, and always a trace of its own.

    Args:
        trace_name: its name.
        tags: ``agentops.tags``, or a mapping: attributes of its root span.

    Raises TypeError or ValueError for arguments that make no sense.
    """
    plan = plan_of(trace_name, tags)
    if not tracer.initialized:
        settings.set_up()
    return start(plan)


def start(plan: Plan, *, is_init_trace: bool = False) -> TraceContext:
    handle, _ = runtime.start(span_names.of_session(settings.completed(plan)))
    context = TraceContext(handle, is_init_trace)
    if len(_held) > 2 * runtime.registry.open_count() + _SOME:
        _forget_ended()
    if handle.is_open:
        _held[handle.id] = context
    return context


def _forget_ended() -> None:
    for key, context in _held.copy().items():  # in one operation, others start and end meanwhile
        if not context.session.is_open:
            _held.pop(key, None)


def end_trace(trace_context: TraceContext | None = None, end_state: object = SUCCESS) -> None:
    """Ends a session, or without one every open session of this process. Never waits for the network.

    Args:
        trace_context: what `start_trace` returned.
        end_state: how it went, in any of the spellings of the AgentOps SDK.

    Raises TypeError for what is no session.
    """
    if trace_context is None:
        for held in active().values():
            held.end(end_state)
        api.end_all_sessions(parse(end_state))
        _forget_ended()
        return
    checked(trace_context).end(end_state)


def checked(trace_context: object) -> TraceContext:
    """What `start_trace` returned, or TypeError."""
    context = getattr(trace_context, "trace_context", trace_context)  # a session of `start_session` is as good
    if not isinstance(context, TraceContext):
        raise TypeError(f"trace_context must be what start_trace returned, not {type(trace_context).__name__}")
    return context


def current() -> TraceContext | None:
    """The session that was started here and is current, else the latest that is open."""
    session = runtime.current()
    held = None if session is None else _held.get(session.id)
    if held is not None and held.session.is_open:  # what a forked child inherits is current in it, and not its own
        return held
    return next((context for context in reversed(_held.copy().values()) if context.session.is_open), None)


def session_here() -> Handle | None:
    """The current session, whoever has started it; else the latest that is open and was started here."""
    session = runtime.current()
    if session is not None and session.is_open:
        return session
    held = current()
    return None if held is None else held.session


def of_id(session_id: object) -> TraceContext | None:
    """The open session that was started here and has this id."""
    held = _held.get(str(session_id))
    return held if held is not None and held.session.is_open else None


def only() -> TraceContext | None:
    """The session for what is done where nothing is current: the one that is open, if there is but one."""
    if otel_trace.get_current_span().get_span_context().is_valid:
        return None
    found = None
    for held in _held.copy().values():  # no further than to the second: there may be very many
        if held.session.is_open:
            if found is not None:
                return None
            found = held
    return found


def active() -> dict[str, TraceContext]:
    """The open sessions that were started here, by their trace ids of 32 hex digits, oldest first."""
    return {context.session.trace_id: context for context in _held.copy().values() if context.session.is_open}


# -- what is said of them --


def plan_of(name: str | None, tags: Tags, **more: Any) -> Plan:
    """A session's plan from what the AgentOps SDK took; TypeError or ValueError that names the argument."""
    plan = Plan.checked(
        None if name in (None, DEFAULT_NAME) else name,
        id=None,
        conversation_id=None,
        user_id=None,
        tags=(),
        attributes=attributes_of_tags(tags),
        previous_id=None,
        idle_timeout=None,
        max_duration=None,
    )
    return plan._replace(**more)


def attributes_of_tags(tags: Tags) -> dict[str, AttributeValue]:
    """Attributes of a span, from tags in a list, or a mapping that has them by name."""
    if not tags:
        return {}
    if isinstance(tags, Mapping):
        return {str(key): attribute_of(value) for key, value in tags.items() if value is not None}
    return {semconv.TAGS: settings.tags_of("tags", tags)}


def attribute_of(value: Any) -> AttributeValue:
    """A value of any kind as one of an attribute: what is none is written as JSON."""
    try:
        return arguments.attribute("value", value)
    except TypeError:
        return encode(value)


def update_trace_metadata(metadata: Mapping[str, Any], prefix: str = "trace.metadata") -> bool:
    """Sets attributes on the root span of the current session, or of the latest that was started; whether it could.

    Args:
        metadata: values by key: strings, numbers, booleans, or lists of these, which are written as JSON. Keys that
            the AgentOps SDK had attributes for (``agent_name``, ``tags``, ...) are written as these.
        prefix: stands before any other key.

    Raises TypeError for metadata that is no mapping.
    """
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must be a mapping, not {type(metadata).__name__}")
    session = session_here()
    attributes = {
        name: value
        for key, said in metadata.items()
        if (value := _metadata(key, said)) is not None and (name := _NAMES.get(key, f"{prefix}.{key}"))
    }
    if session is None or not session.is_open or not attributes:
        _logger.warning("no metadata is written: %s", "there is none" if not attributes else "no session is open")
        return False
    session.set_attributes(attributes)
    return True


def _metadata(key: str, value: Any) -> AttributeValue | None:
    is_list = isinstance(value, list) and all(isinstance(item, (str, int, float, bool)) for item in value)
    if key == "tags" and (is_list or isinstance(value, str)):
        return tuple(map(str, [value] if isinstance(value, str) else value))
    if is_list:
        return json.dumps(value)
    if value is not None and not isinstance(value, (str, int, float, bool)):
        _logger.warning("the metadata %r is not written: %s is no attribute", key, type(value).__name__)
        return None
    return value


def _names() -> dict[str, str]:
    """The attributes that metadata may mean, by themselves and with underscores for dots."""
    classes = (AgentAttributes, ToolAttributes, WorkflowAttributes, CoreAttributes, SpanAttributes)
    values = {value for kind in classes for key, value in vars(kind).items() if not key.startswith("_")}
    known = {value for value in values if isinstance(value, str) and not value.startswith("gen_ai.")}
    return {**{value.replace(".", "_"): value for value in known}, **{value: value for value in known}, "tags": TAGS}


TAGS = CoreAttributes.TAGS
_NAMES = _names()


class TracingCore:
    """What `tracer` is: the tracing of this process."""

    @property
    def initialized(self) -> bool:
        """Whether there is an SDK TracerProvider, whoever has set it up."""
        return runtime.tracer() is not None

    @property
    def provider(self) -> otel_trace.TracerProvider:
        return runtime.provider()

    def get_tracer(self, name: str = "agentops") -> otel_trace.Tracer:
        return self.provider.get_tracer(name)

    def start_trace(self, trace_name: str = DEFAULT_NAME, tags: Tags = None) -> TraceContext:
        return start_trace(trace_name, tags)

    def end_trace(self, trace_context: TraceContext | None = None, end_state: object = SUCCESS) -> None:
        end_trace(trace_context, end_state)

    def get_active_traces(self) -> dict[str, TraceContext]:
        return active()

    def get_active_trace_count(self) -> int:
        return len(active())

    def shutdown(self) -> None:
        """Ends all sessions, as unknown, and waits until they are exported, for at most 5 seconds."""
        end_trace(None, EndState.UNKNOWN)
        api.flush()


tracer = TracingCore()
