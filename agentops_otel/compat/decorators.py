"""The decorators, with the arguments they had."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar, overload

from .. import semconv
from ..decorators import kinds
from ..decorators.content import Content, Parameters
from ..decorators.decorator import OperationDecorator
from ..decorators.functions import Begin, underlying, wrap
from ..decorators.operation import Operation
from ..decorators.session import SessionScope
from ..runtime import runtime
from ..sessions.handle import Session
from ..sessions.starting import Plan, location_of
from ..shield import text_of
from . import settings, span_names
from .semconv import SpanAttributes, SpanKind
from .traces import Tags, attributes_of_tags, plan_of

F = TypeVar("F", bound=Callable[..., Any])


class EntityDecorator(Protocol):
    """A decorator, bare or with arguments.

    Takes functions of every kind, methods and classes. Of a class every public method is decorated, as by
    `agentops_otel.agent`; what was said of it is said of each. Without ``capture_request`` no arguments are written,
    and without ``capture_response`` no results, whatever the environment says.
    """

    @overload
    def __call__(self, wrapped: F, /) -> F: ...
    @overload
    def __call__(
        self,
        wrapped: None = None,
        *,
        name: str | None = None,
        version: Any = None,
        tags: Tags = None,
        cost: float | None = None,
        spec: str | None = None,
        capture_request: bool = True,
        capture_response: bool = True,
    ) -> Callable[[F], F]: ...


class _Captured(NamedTuple):
    """What of a call may be written: its arguments, its result."""

    request: bool
    response: bool

    def names(self, input: tuple[str, ...], output: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of these attributes those that are to be written."""
        return input if self.request else (), output if self.response else ()

    def of(self, operation: Operation) -> Operation:
        input, output = self.names(operation.input, operation.output)
        return operation._replace(input=input, output=output)


class _Said(NamedTuple):
    """What a decorator was told."""

    name: str | None
    version: str | None
    tags: Tags
    cost: float | None
    spec: str | None
    captured: _Captured


def _decorator(doc: str, decorate: Callable[[Any, _Said], Any]) -> EntityDecorator:
    """A decorator with the arguments that all of them had; ``decorate`` does it."""

    def decorator(
        wrapped: Any = None,
        *,
        name: str | None = None,
        version: Any = None,
        tags: Tags = None,
        cost: float | None = None,
        spec: str | None = None,
        capture_request: bool = True,
        capture_response: bool = True,
    ) -> Any:
        version = None if version is None else text_of(version)
        said = _Said(name, version, tags, cost, spec, _Captured(bool(capture_request), bool(capture_response)))
        attributes_of_tags(tags)  # a wrong one is refused here, and not where the decorator is applied
        return (lambda target: decorate(target, said)) if wrapped is None else decorate(wrapped, said)

    decorator.__doc__ = doc
    return decorator


class _Operations(OperationDecorator):
    """Operations that are named as the user wants at the time of the call: `init` comes after the decorators."""

    def __init__(self, kind: kinds.Kind, old_kind: str, said: _Said) -> None:
        attributes = attributes_of_tags(said.tags)
        if said.version is not None and kind is kinds.AGENT:
            attributes[semconv.GEN_AI_AGENT_VERSION] = said.version
        if said.cost is not None and kind is kinds.TOOL:
            attributes[SpanAttributes.LLM_USAGE_TOOL_COST] = said.cost
        if said.spec is not None and kind is kinds.GUARDRAIL:
            attributes[SpanAttributes.AGENTOPS_DECORATOR_SPEC.format(entity_kind=old_kind)] = said.spec
        super().__init__(runtime, kind, said.name, attributes)
        self._old_kind = old_kind
        self._said = said

    def _begin(self, operation: Operation, name: str) -> Begin:
        old = span_names.of_operation(operation, name, self._old_kind, self._said.version)
        standard, old = self._said.captured.of(operation), self._said.captured.of(old)
        return lambda args, kwargs: (old if span_names.are_old() else standard).begin(args, kwargs)


def _entity(kind: kinds.Kind, old_kind: str) -> EntityDecorator:
    def decorate(target: Any, said: _Said) -> Any:
        decorated = _Operations(kind, old_kind, said)(target)
        return _with_blocks(decorated) if inspect.isclass(decorated) else decorated

    return _decorator("Makes each call of a function, or of the methods of a class, a span.", decorate)


def _with_blocks(cls: type) -> type:
    """The class, usable in ``async with``: the AgentOps SDK made every decorated class so."""
    if not hasattr(cls, "__aenter__"):

        async def enter(self: Any) -> Any:
            return self

        async def leave(self: Any, *error: object) -> None:
            return None

        cls.__aenter__, cls.__aexit__ = enter, leave  # type: ignore[attr-defined]
    return cls


class _Traced(SessionScope):
    """The session of one call of a decorated function, with the call's content where the user wants it."""

    __slots__ = ("_args", "_captured", "_content", "_kwargs", "_parameters")

    def __init__(
        self, plan: Plan, parameters: Parameters, captured: _Captured, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        super().__init__(runtime.start_block, span_names.of_session(settings.completed(plan)))
        self._parameters = parameters
        self._captured = captured
        self._args = args
        self._kwargs = kwargs
        self._content: Content | None = None

    def __enter__(self) -> Session:
        session = super().__enter__()
        if runtime.settings.content_on_spans:
            old = span_names.are_old()
            names = self._captured.names(
                (semconv.INPUT, *(span_names.inputs(SpanKind.SESSION) if old else ())),
                (semconv.OUTPUT, *(span_names.outputs(SpanKind.SESSION) if old else ())),
            )
            self._content = Content(runtime.settings, *names)
            self._content.called(self._parameters, self._args, self._kwargs)
            session.set_attributes(self._content.input)
        self._args, self._kwargs = (), {}  # contexts that are kept must not keep them
        return session

    def returned(self, value: Any) -> None:
        if self._content is not None:
            self._content.returned(value)

    def yielded(self, item: Any) -> None:
        if self._content is not None:
            self._content.yielded(item)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Not where the garbage collector closes a generator: that may be in the middle of any line.
        if self._content is not None and not isinstance(error, GeneratorExit):
            self._entered[-1][0].set_attributes(self._content.output)
        super().__exit__(kind, error, traceback)


def _session(target: Any, said: _Said) -> Any:
    if inspect.isclass(target):
        return _with_blocks(_Operations(kinds.WORKFLOW, SpanKind.SESSION, said)(target))
    if isinstance(target, (classmethod, staticmethod)):
        return type(target)(_session(target.__func__, said))
    if not callable(target):
        raise TypeError(f"{SpanKind.SESSION} decorates a function or a class, not {target!r}")
    plan = plan_of(
        said.name or getattr(target, "__name__", None) or type(target).__name__,
        said.tags,
        location=location_of(underlying(target)),
    )
    parameters = Parameters(target)
    return wrap(target, lambda args, kwargs: _Traced(plan, parameters, said.captured, args, kwargs))


agent = _entity(kinds.AGENT, SpanKind.AGENT)
task = _entity(kinds.TASK, SpanKind.TASK)
operation = task
workflow = _entity(kinds.WORKFLOW, SpanKind.WORKFLOW)
tool = _entity(kinds.TOOL, SpanKind.TOOL)
guardrail = _entity(kinds.GUARDRAIL, SpanKind.GUARDRAIL)
trace = _decorator(
    "Makes each call of a function a session; of a class, each call of its methods a workflow.", _session
)
session = trace
track_endpoint = trace
