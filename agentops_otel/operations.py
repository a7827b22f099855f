"""The public decorators of operations: agents, workflows, tasks, tools and guardrails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from opentelemetry.util.types import AttributeValue

from . import semconv
from .decorators import kinds
from .decorators.decorator import OperationDecorator
from .runtime import runtime
from .sessions import arguments

F = TypeVar("F", bound=Callable[..., Any])

Attributes = Mapping[str, AttributeValue]


@overload
def agent(name: F, /) -> F: ...
@overload
def agent(
    name: str | None = None, *, version: str | None = None, attributes: Attributes | None = None
) -> Callable[[F], F]: ...
def agent(name: Any = None, *, version: str | None = None, attributes: Attributes | None = None) -> Any:
    """Makes each call of a function an ``invoke_agent {name}`` span; bare, or with arguments.

    Takes functions, coroutines, generators and async generators, methods of every kind and callable objects; they keep
    their signatures, results and exceptions. The span is current in the function and ends with it (for a generator
    with its iteration), by the GenAI conventions for agent spans. It belongs to the current session, if there is one.
    Nothing is recorded where no SDK is set up or instrumentation is suppressed. Of a class every public method that
    it defines itself becomes one, under the name of the class; methods of one object that call each other are one
    call. The class is changed in place, and methods that are decorated already stay as they are.

    An exception is recorded on the innermost of these spans only, and passed on untouched. Arguments and results are
    written where ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says so, as JSON of at most 16 KiB each.

    Args:
        name: ``gen_ai.agent.name``; default: the name of the function or class.
        version: ``gen_ai.agent.version``.
        attributes: more attributes of the span.

    Raises TypeError or ValueError that names the argument, here and not later.
    """
    said = {} if version is None else {semconv.GEN_AI_AGENT_VERSION: arguments.text("version", version)}
    return _decorator(kinds.AGENT, name, attributes, said)


@overload
def workflow(name: F, /) -> F: ...
@overload
def workflow(name: str | None = None, *, attributes: Attributes | None = None) -> Callable[[F], F]: ...
def workflow(name: Any = None, *, attributes: Attributes | None = None) -> Any:
    """Makes each call an ``invoke_workflow {name}`` span, with ``gen_ai.workflow.name``; else as `agent`."""
    return _decorator(kinds.WORKFLOW, name, attributes)


@overload
def task(name: F, /) -> F: ...
@overload
def task(name: str | None = None, *, attributes: Attributes | None = None) -> Callable[[F], F]: ...
def task(name: Any = None, *, attributes: Attributes | None = None) -> Any:
    """Makes each call a ``task {name}`` span, with ``agentops.span.kind``; else as `agent`.

    Of a class each method is a task, ``{Class}.{method}``, whoever calls it.
    """
    return _decorator(kinds.TASK, name, attributes)


@overload
def tool(name: F, /) -> F: ...
@overload
def tool(name: str | None = None, *, attributes: Attributes | None = None) -> Callable[[F], F]: ...
def tool(name: Any = None, *, attributes: Attributes | None = None) -> Any:
    """Makes each call an ``execute_tool {name}`` span, with ``gen_ai.tool.name``; else as `agent`.

    Of a class each method is a tool of its own name (``{name}.{method}`` where a name is given), whoever calls it.
    """
    return _decorator(kinds.TOOL, name, attributes)


@overload
def guardrail(name: F, /) -> F: ...
@overload
def guardrail(name: str | None = None, *, attributes: Attributes | None = None) -> Callable[[F], F]: ...
def guardrail(name: Any = None, *, attributes: Attributes | None = None) -> Any:
    """Makes each call a ``guardrail {name}`` span, with ``agentops.span.kind``; else as `task`."""
    return _decorator(kinds.GUARDRAIL, name, attributes)


def _decorator(kind: kinds.Kind, name: Any, attributes: Attributes | None, said: Attributes | None = None) -> Any:
    is_bare = callable(name) or isinstance(name, (classmethod, staticmethod))
    decorator = OperationDecorator(
        runtime,
        kind,
        None if is_bare or name is None else arguments.text("name", name),
        {**(arguments.attributes("attributes", attributes) if attributes is not None else {}), **(said or {})},
    )
    return decorator(name) if is_bare else decorator
