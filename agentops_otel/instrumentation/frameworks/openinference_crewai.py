"""OpenInference for CrewAI: it marks a run that streams twice, when the stream is made and when it is read.

And it does not say which dialogue a run of a flow goes on with.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...sessions.adoption import hinted
from ...shield import Shield
from .wrapping import Wrapping

_READING = Shield("reading the conversation of a run")


def install(wrappers: ModuleType, wrapping: Wrapping) -> None:
    # These, and not the methods of CrewAI: which of two wrappers of a method is the outer one is a matter of luck.
    wrapping.wrap("_CrewKickoffWrapper.__call__", _around_crew)
    wrapping.wrap("_FlowKickoffWrapper.__call__", _around_flow)
    wrapping.wrap("_FlowKickoffAsyncWrapper.__call__", _around_flow_coroutine)


def _around_crew(mark: Callable[..., Any], marker: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kickoff, crew, given, named = args
    return kickoff(*given, **named) if _only_makes_a_stream(crew) else mark(*args, **kwargs)


def _around_flow(mark: Callable[..., Any], marker: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kickoff, flow, given, named = args
    if _only_makes_a_stream(flow):
        return kickoff(*given, **named)
    with hinted(conversation_id=_conversation(given, named)):
        return mark(*args, **kwargs)


async def _around_flow_coroutine(
    mark: Callable[..., Any], marker: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    kickoff, flow, given, named = args
    if _only_makes_a_stream(flow):
        return await kickoff(*given, **named)
    with hinted(conversation_id=_conversation(given, named)):
        return await mark(*args, **kwargs)


def _only_makes_a_stream(runner: object) -> bool:
    return bool(getattr(runner, "stream", False))


def _conversation(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """The state that a flow goes on with: a dialogue is kept in it, under its id."""
    with _READING:
        inputs = args[0] if args else kwargs.get("inputs")
        return (inputs or {}).get("id")
    return None
