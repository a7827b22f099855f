"""Totals: what a session consumed, counted as its spans end."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import Attributes

from .. import semconv

_OPENINFERENCE_KINDS = {"LLM": "chat", "TOOL": semconv.TOOL_OPERATION, "AGENT": semconv.AGENT_OPERATION}


@dataclass(frozen=True)
class Count:
    """A reading of the totals of a session."""

    inference_calls: int = 0
    tool_calls: int = 0
    agent_calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Totals:
    """Running totals. Counts an inference only at its leaf, because wrapped clients report the same call twice."""

    __slots__ = ("_above_inference", "agents", "errors", "inferences", "input_tokens", "output_tokens", "tools")

    def __init__(self) -> None:
        self.inferences = self.tools = self.agents = self.errors = 0
        self.input_tokens = self.output_tokens = 0
        self._above_inference: set[int] = set()
        """Ids of the open spans that have a counted inference somewhere below them."""

    def add(self, span: ReadableSpan) -> bool:
        """Counts an ended span; true when a total changed."""
        attributes = span.attributes or {}
        operation = attributes.get(semconv.GEN_AI_OPERATION_NAME)
        if operation is None:
            operation = _OPENINFERENCE_KINDS.get(str(attributes.get(semconv.OPENINFERENCE_KIND)))
        is_error = span.status.status_code is StatusCode.ERROR
        if operation is None and not is_error and not self._above_inference:
            return False
        changed = is_error
        self.errors += is_error
        is_above = self._is_above_inference(span)
        if operation in semconv.INFERENCE_OPERATIONS:
            if not is_above:
                self.inferences += 1
                self.input_tokens += _tokens(attributes, semconv.GEN_AI_USAGE_INPUT_TOKENS, *semconv.OLD_INPUT_TOKENS)
                self.output_tokens += _tokens(
                    attributes, semconv.GEN_AI_USAGE_OUTPUT_TOKENS, *semconv.OLD_OUTPUT_TOKENS
                )
                is_above = changed = True
        elif operation == semconv.TOOL_OPERATION:
            self.tools += 1
            changed = True
        elif operation == semconv.AGENT_OPERATION:
            self.agents += 1
            changed = True
        if is_above and span.parent is not None:
            self._above_inference.add(span.parent.span_id)
        return changed

    def _is_above_inference(self, span: ReadableSpan) -> bool:
        context = span.context
        if context is None or context.span_id not in self._above_inference:
            return False
        self._above_inference.discard(context.span_id)
        return True

    def count(self) -> Count:
        return Count(self.inferences, self.tools, self.agents, self.errors, self.input_tokens, self.output_tokens)

    def attributes(self) -> dict[str, int]:
        """The totals that are not zero, as attributes of the root span."""
        named = {
            semconv.INFERENCE_CALLS: self.inferences,
            semconv.TOOL_CALLS: self.tools,
            semconv.AGENT_CALLS: self.agents,
            semconv.ERRORS: self.errors,
            semconv.USAGE_INPUT_TOKENS: self.input_tokens,
            semconv.USAGE_OUTPUT_TOKENS: self.output_tokens,
        }
        return {name: value for name, value in named.items() if value}


def _tokens(attributes: Attributes, *names: str) -> int:
    for name in names:
        value = (attributes or {}).get(name)
        if isinstance(value, (int, float)) and value == value and value >= 0:
            return int(value)
    return 0
