"""Sessions, agents and tools as programs of the AgentOps SDK before 0.4 start, end and track them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar, overload
from uuid import uuid4

from .. import clock, semconv
from ..decorators.functions import wrap
from ..sessions.handle import Session as Handle
from ..shield import text_of
from . import settings
from .decorators import agent, tool
from .events import ActionEvent, ErrorEvent, Event, LLMEvent, ToolEvent, record
from .recorded import ACTIONS, counts_of
from .recording import Within, record_action, record_function, record_tool
from .semconv import LEGACY
from .traces import Tags, TraceContext, current, end_trace, of_id, session_here, start_trace

__all__ = [
    "ActionEvent",
    "ErrorEvent",
    "Event",
    "LLMEvent",
    "Session",
    "ToolEvent",
    "add_tags",
    "create_agent",
    "end_all_sessions",
    "end_session",
    "get_session",
    "record",
    "record_action",
    "record_function",
    "record_tool",
    "set_tags",
    "start_session",
    "stop_instrumenting",
    "track_agent",
    "track_tool",
]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_logger = logging.getLogger("agentops_otel")


class Session:
    """What `start_session` and `init` return: may be thrown away, the session goes on."""

    def __init__(self, trace_context: TraceContext) -> None:
        self.trace_context = trace_context

    @property
    def session_id(self) -> str:
        """``session.id``."""
        return self.trace_context.session.id

    @property
    def span(self) -> Any:
        return self.trace_context.span

    @property
    def token(self) -> None:
        return None

    def add_tags(self, tags: str | Iterable[str]) -> None:
        """Adds a tag, or several."""
        self.trace_context.session.add_tags(*settings.tags_of("tags", tags))

    def set_tags(self, tags: str | Iterable[str]) -> None:
        """Gives it these tags in place of those it has."""
        _set_tags(self.trace_context.session, tags)

    def create_agent(self, name: str | None = None, agent_id: str | None = None, **kwargs: Any) -> str:
        """Nothing: an agent is known by the spans of its work. Returns the id, or a new one."""
        return create_agent(name, agent_id)

    def get_analytics(self) -> dict[str, Any]:
        """What it has consumed so far, and its duration and cost as texts: in seconds and US dollars.

        Actions are those that were recorded by events, `record_action` or `record_function`, in this process.
        """
        session = self.trace_context.session
        totals, record = session.totals, session._record
        end = getattr(record.span, "end_time", None) or clock.time_ns()
        with counts_of(session) as counts:
            actions = counts[ACTIONS]
        return {
            "LLM calls": totals.inference_calls,
            "Tool calls": totals.tool_calls,
            "Actions": actions,
            "Errors": totals.errors,
            "Duration": f"{record.seconds_until(end):.1f}s",
            "Cost": f"{totals.cost or 0:.6f}",
        }

    def patch(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, that is called in this session."""
        return wrap(function, lambda args, kwargs: Within(self.trace_context.session))

    def record(self, event: Any = None) -> None:
        """Records an event in this session."""
        with self.trace_context.session.attach():
            record(event)

    def end_session(
        self, end_state: Any = "Success", end_state_reason: str | None = None, video: str | None = None, **kwargs: Any
    ) -> None:
        """Ends it; arguments are those of `end_session`."""
        end_session(self, end_state_reason, video, end_state=end_state, **kwargs)


def start_session(tags: Tags = None, **kwargs: Any) -> Session:
    """Starts a session, which goes on until it is ended, by `end_session` or the end of the process.

    What else releases before 0.4 took (``inherited_session_id``, ``config``) is accepted, and has no effect.
    """
    settings.take(kwargs)
    return Session(start_trace(tags=tags))


def end_session(
    session_or_status: Any = None, end_state_reason: str | None = None, video: str | None = None, **kwargs: Any
) -> None:
    """Ends a session: the given one, else the current one, else the latest that was started.

    Args:
        session_or_status: the session, or its end state.
        end_state_reason: written as ``agentops.legacy.end_state_reason``.
        video: written as ``agentops.legacy.video``.
        kwargs: ``end_state``, in any spelling. Anything else is written as ``agentops.legacy.*``. With
            ``is_auto_end``, as frameworks say it, nothing ends if `init` was told ``skip_auto_end_session``.
    """
    if kwargs.get("is_auto_end") and settings.keeps_from_frameworks():
        return
    is_session = isinstance(session_or_status, (Session, TraceContext))
    state = kwargs.pop("end_state", "Success" if is_session or session_or_status is None else session_or_status)
    if is_session:
        context = session_or_status if isinstance(session_or_status, TraceContext) else session_or_status.trace_context
    else:
        context = current()
    if context is None:
        _logger.warning("end_session: no session is open")
        return
    said = {"end_state_reason": end_state_reason, "video": video, **kwargs}
    context.session.set_attributes(
        {f"{LEGACY}.{key}": text_of(value) for key, value in said.items() if value is not None}
    )
    context.end(state)


def end_all_sessions() -> None:
    """Ends every open session of this process, as a success."""
    end_trace(None)


def get_session(session_id: object) -> Session | None:
    """The open session that has this id."""
    context = of_id(session_id)
    return None if context is None else Session(context)


def add_tags(tags: str | Iterable[str]) -> None:
    """Adds tags to the current session, or the latest that was started."""
    session = session_here()
    if session is None:
        _logger.warning("add_tags: no session is open")
    else:
        session.add_tags(*settings.tags_of("tags", tags))


def set_tags(tags: str | Iterable[str]) -> None:
    """Gives the current session, or the latest that was started, these tags in place of those it has."""
    session = session_here()
    if session is None:
        _logger.warning("set_tags: no session is open")
    else:
        _set_tags(session, tags)


def _set_tags(session: Handle, tags: str | Iterable[str]) -> None:
    session.set_attribute(semconv.TAGS, settings.tags_of("tags", tags))


def create_agent(name: str | None = None, agent_id: str | None = None) -> str:
    """Nothing: an agent is known by the spans of its work. Returns the id, or a new one."""
    return agent_id or str(uuid4())


def stop_instrumenting() -> None:
    """Nothing, which is said: instrumentations of OpenTelemetry have an ``uninstrument()`` of their own."""
    settings.say_once("stop_instrumenting() has no effect: call uninstrument() of the instrumentations")


@overload
def track_agent(name: F, /) -> F: ...
@overload
def track_agent(name: str | None = None, *args: Any, **kwargs: Any) -> Callable[[F], F]: ...
def track_agent(name: Any = None, *args: Any, **kwargs: Any) -> Any:
    """As `agent`, bare or with a name; what else it was given is ignored, as ever."""
    return agent(name) if callable(name) else agent(name=name)


@overload
def track_tool(name: F, /) -> F: ...
@overload
def track_tool(name: str | None = None, *args: Any, **kwargs: Any) -> Callable[[F], F]: ...
def track_tool(name: Any = None, *args: Any, **kwargs: Any) -> Any:
    """As `tool`, bare or with a name; what else it was given is ignored, as ever."""
    return tool(name) if callable(name) else tool(name=name)
