"""Pydantic AI: it marks its runs itself, with their conversations, once it is told to."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ... import config
from ...runtime import runtime
from .wrapping import NotThere, Wrapping


def install(pydantic_ai: ModuleType, wrapping: Wrapping) -> None:
    """Switches its spans on, unless the user has switched that off, or has done it already.

    What the program says later, by ``Agent.instrument_all`` or through Logfire, replaces it.
    """
    if config.is_disabled("pydantic_ai"):
        return
    agent: Any = wrapping.get("Agent")
    if getattr(agent, "_instrument_default", False):
        return
    try:
        # It writes prompts and answers by default; here they are written where the user wants them.
        chosen = pydantic_ai.InstrumentationSettings(include_content=runtime.settings.content_on_spans)
        agent.instrument_all(chosen)
    except (AttributeError, TypeError):
        raise NotThere("Agent.instrument_all") from None

    def undo() -> None:
        if agent._instrument_default is chosen:
            agent.instrument_all(False)

    wrapping.undo_by(undo)
