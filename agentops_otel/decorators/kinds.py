"""What decorated functions can be, and what is written of each.

The GenAI conventions have operations for agents, workflows and tools. They have none for tasks and guardrails: these
get an attribute of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from opentelemetry.util.types import AttributeValue

from .. import semconv


class Kind(NamedTuple):
    """One of the decorators."""

    decorator: str
    operation: str
    """First word of the spans' names."""
    details: Mapping[str, AttributeValue]
    """Attributes that say what it is."""
    name: str | None = None
    """The attribute of its name."""
    input: str = semconv.INPUT
    output: str = semconv.OUTPUT
    is_whole_class: bool = False
    """A decorated class is one of it, with many methods; otherwise each method is one."""


AGENT = Kind(
    "agent",
    semconv.AGENT_OPERATION,
    {semconv.GEN_AI_OPERATION_NAME: semconv.AGENT_OPERATION},
    semconv.GEN_AI_AGENT_NAME,
    is_whole_class=True,
)
WORKFLOW = Kind(
    "workflow",
    semconv.WORKFLOW_OPERATION,
    {semconv.GEN_AI_OPERATION_NAME: semconv.WORKFLOW_OPERATION},
    semconv.GEN_AI_WORKFLOW_NAME,
    is_whole_class=True,
)
TOOL = Kind(
    "tool",
    semconv.TOOL_OPERATION,
    {semconv.GEN_AI_OPERATION_NAME: semconv.TOOL_OPERATION, semconv.GEN_AI_TOOL_TYPE: semconv.TOOL_TYPE_FUNCTION},
    semconv.GEN_AI_TOOL_NAME,
    input=semconv.GEN_AI_TOOL_CALL_ARGUMENTS,
    output=semconv.GEN_AI_TOOL_CALL_RESULT,
)
TASK = Kind("task", "task", {semconv.SPAN_KIND: "task"})
GUARDRAIL = Kind("guardrail", "guardrail", {semconv.SPAN_KIND: "guardrail"})
