"""The option ``span_names="agentops"``: spans as the AgentOps SDK wrote them, for whoever queries them so.

A span has one name, so it gets the old one. The old attributes stand beside the standard ones.
"""

from __future__ import annotations

from typing import Any

from .. import semconv
from ..config import AGENTOPS, STANDARD
from ..decorators.operation import Operation
from ..runtime import runtime
from ..sessions.starting import Plan
from .semconv import SpanAttributes, SpanKind


def choose(span_names: object) -> None:
    """Names spans so from now on; None changes nothing.

    Raises TypeError or ValueError for what is not one of the two.
    """
    if span_names is None:
        return
    if not isinstance(span_names, str):
        raise TypeError(f"span_names must be a string, not {type(span_names).__name__}")
    if span_names not in (STANDARD, AGENTOPS):
        raise ValueError(f"span_names must be {STANDARD!r} or {AGENTOPS!r}, not {span_names!r}")
    runtime.set(span_names=span_names)


def are_old() -> bool:
    return runtime.settings.span_names == AGENTOPS


def inputs(kind: str) -> tuple[str, ...]:
    """The old attributes for the arguments of an operation of an old kind."""
    return SpanAttributes.AGENTOPS_ENTITY_INPUT, SpanAttributes.AGENTOPS_DECORATOR_INPUT.format(entity_kind=kind)


def outputs(kind: str) -> tuple[str, ...]:
    """Those for its result."""
    return SpanAttributes.AGENTOPS_ENTITY_OUTPUT, SpanAttributes.AGENTOPS_DECORATOR_OUTPUT.format(entity_kind=kind)


def of_session(plan: Plan) -> Plan:
    """The plan of a session, with the names that are wanted now."""
    if not are_old():
        return plan
    name = plan.name or SpanKind.SESSION
    attributes = {**plan.attributes, semconv.SPAN_KIND: SpanKind.SESSION, SpanAttributes.OPERATION_NAME: name}
    return plan._replace(span_name=f"{name}.{SpanKind.SESSION}", attributes=attributes)


def of_operation(operation: Operation, name: str, kind: str, version: Any) -> Operation:
    """An operation with the old names."""
    attributes = {**operation.attributes, semconv.SPAN_KIND: kind, SpanAttributes.OPERATION_NAME: name}
    if version is not None:
        attributes[SpanAttributes.OPERATION_VERSION] = version
    return operation._replace(
        span_name=f"{name}.{kind}",
        attributes=attributes,
        input=(*operation.input, *inputs(kind)),
        output=(*operation.output, *outputs(kind)),
    )
