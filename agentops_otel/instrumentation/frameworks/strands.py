"""Strands: it marks its runs itself, without saying which of its sessions they belong to."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...sessions.adoption import hinted
from ...shield import Shield
from .wrapping import Wrapping

_READING = Shield("reading the conversation of a run")


def install(strands: ModuleType, wrapping: Wrapping) -> None:
    # All ways to run an agent come by here, in which the span starts; a run itself is a generator.
    wrapping.wrap("Agent._start_agent_trace_span", _around)


def _around(start: Callable[..., Any], agent: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with hinted(conversation_id=_conversation(agent)):
        return start(*args, **kwargs)


def _conversation(agent: object) -> object:
    """What Strands calls a session is a dialogue that it keeps."""
    with _READING:
        return getattr(getattr(agent, "_session_manager", None), "session_id", None)
    return None
