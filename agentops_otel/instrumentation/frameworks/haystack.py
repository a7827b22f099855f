"""Haystack: nobody marks what its agents do, so it is an operation of each of them, as if it were decorated.

Its own tracing says more of the inside of a pipeline, in names of its own, and is left to the user.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...decorators.decorator import OperationDecorator
from ...decorators.kinds import AGENT, TOOL, Kind
from ...runtime import runtime
from .as_workflow import as_workflow
from .wrapping import Wrapper, Wrapping


def install(module: ModuleType, wrapping: Wrapping) -> None:
    """Wraps what there is to wrap in one of the modules of Haystack."""
    for path, wrapper in _FUNCTIONS[module.__name__].items():
        wrapping.wrap(path, wrapper)


def _agent(run: Callable[..., Any], agent: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # A component has a name only where it is part of a pipeline.
    name = getattr(agent, "__component_name__", None)
    return _operation(AGENT, run, name or type(agent).__name__)(*args, **kwargs)


def _tool(invoke: Callable[..., Any], tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # Without a session there is no agent that calls it.
    if runtime.current() is None:
        return invoke(*args, **kwargs)
    return _operation(TOOL, invoke, tool.name)(*args, **kwargs)


def _async_tool(invoke: Callable[..., Any], tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if tool.async_function is None:  # it calls the other one, in a thread
        return invoke(*args, **kwargs)
    return _tool(invoke, tool, args, kwargs)


def _operation(kind: Kind, function: Callable[..., Any], name: str) -> Callable[..., Any]:
    return OperationDecorator(runtime, kind, str(name), {})(function)


_FUNCTIONS: dict[str, dict[str, Wrapper]] = {
    # The other ways to run a pipeline go through the generator. Inside a session a pipeline is one way of many to call
    # components.
    "haystack.core.pipeline.pipeline": {"Pipeline.run": as_workflow, "Pipeline.run_async_generator": as_workflow},
    "haystack.components.agents.agent": {"Agent.run": _agent, "Agent.run_async": _agent},
    "haystack.tools.tool": {"Tool.invoke": _tool, "Tool.invoke_async": _async_tool},
}
