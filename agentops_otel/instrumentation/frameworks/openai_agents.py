"""The OpenAI Agents SDK: its runs are marked by the official instrumentation, which leaves their conversation out."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ... import environment_variables as env
from ...runtime import runtime
from ...sessions.adoption import hinted
from ...shield import Shield
from .wrapping import Wrapping

_logger = logging.getLogger("agentops_otel")
_READING = Shield("reading the conversation of a run")


def install(agents: ModuleType, wrapping: Wrapping) -> None:
    wrapping.wrap("Runner.run", _around_coroutine)
    wrapping.wrap("Runner.run_sync", _around)
    wrapping.wrap("Runner.run_streamed", _around)
    if not runtime.settings.openai_export:
        _switch_export_off(wrapping)


def _around(run: Callable[..., Any], runner: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # A streamed run goes on in a task, which is started here.
    with hinted(conversation_id=_conversation(kwargs)):
        return run(*args, **kwargs)


async def _around_coroutine(
    run: Callable[..., Any], runner: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with hinted(conversation_id=_conversation(kwargs)):
        return await run(*args, **kwargs)


def _conversation(kwargs: dict[str, Any]) -> object:
    """What the program groups its runs by, else the conversation that OpenAI keeps, else the one that it keeps itself.

    The official instrumentation knows the group, but writes it only when the run ends.
    """
    with _READING:
        group = getattr(kwargs.get("run_config"), "group_id", None)
        return group or kwargs.get("conversation_id") or getattr(kwargs.get("session"), "session_id", None)
    return None


def _switch_export_off(wrapping: Wrapping) -> None:
    """Keeps the processor that sends every trace to OpenAI from taking any, whoever has registered it.

    The official instrumentation has an option that takes it away, but no variable. A processor that the program makes
    itself is left alone.
    """
    default = wrapping.get("tracing.processors.default_processor")()
    wrapping.wrap_of(default, "on_trace_start", _take_nothing)
    wrapping.wrap_of(default, "on_span_end", _take_nothing)


def _take_nothing(*call: object) -> None:
    _say_so()


@functools.cache
def _say_so() -> None:
    _logger.warning(
        "openai-agents does not send its traces to OpenAI as well: %s=true lets it",
        env.OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT,
    )
