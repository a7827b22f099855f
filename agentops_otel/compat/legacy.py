"""Sessions and agents as programs of the AgentOps SDK before 0.4 start, end and track them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, overload

from ..shield import text_of
from . import settings
from .decorators import agent, tool
from .events import ActionEvent, ErrorEvent, LLMEvent, ToolEvent, record
from .semconv import LEGACY
from .traces import Tags, TraceContext, current, end_trace, start_trace

__all__ = [
    "ActionEvent",
    "ErrorEvent",
    "LLMEvent",
    "Session",
    "ToolEvent",
    "end_all_sessions",
    "end_session",
    "record",
    "start_session",
    "track_agent",
    "track_tool",
]

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

    def add_tags(self, tags: Any) -> None:
        """Adds a tag, or several."""
        self.trace_context.session.add_tags(*([tags] if isinstance(tags, str) else tags))

    def create_agent(self, name: str | None = None, agent_id: str | None = None, **kwargs: Any) -> None:
        """Nothing: an agent is known by the spans of its work."""

    def record(self, event: Any = None) -> None:
        """Records an event in this session."""
        with self.trace_context.session.attach():
            record(event)

    def end_session(self, **kwargs: Any) -> None:
        """Ends it; arguments are those of `end_session`."""
        end_session(self, **kwargs)


def start_session(tags: Tags = None) -> Session:
    """Starts a session, which goes on until it is ended, by `end_session` or the end of the process."""
    return Session(start_trace(tags=tags))


def end_session(session_or_status: Any = None, **kwargs: Any) -> None:
    """Ends a session: the given one, else the current one, else the latest that was started.

    Args:
        session_or_status: the session, or its end state.
        kwargs: ``end_state``, in any spelling. Anything else is written as ``agentops.legacy.*``. With
            ``is_auto_end``, as frameworks say it, nothing ends if `init` was told ``skip_auto_end_session``.
    """
    if kwargs.get("is_auto_end") and settings.current.skip_auto_end_session:
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
    context.session.set_attributes({f"{LEGACY}.{key}": text_of(value) for key, value in kwargs.items()})
    context.end(state)


def end_all_sessions() -> None:
    """Ends every open session of this process, as a success."""
    end_trace(None)


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
