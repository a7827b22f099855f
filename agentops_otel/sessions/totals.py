"""Totals: what a session consumed, counted as its spans end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import StatusCode

from .. import semconv

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_OPENINFERENCE_KINDS = {"LLM": "chat", "TOOL": semconv.TOOL_OPERATION, "AGENT": semconv.AGENT_OPERATION}
_INPUT_TOKENS = (semconv.GEN_AI_USAGE_INPUT_TOKENS, *semconv.OLD_INPUT_TOKENS)
_OUTPUT_TOKENS = (semconv.GEN_AI_USAGE_OUTPUT_TOKENS, *semconv.OLD_OUTPUT_TOKENS)


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

    __slots__ = ("_above_inference", "_counted")

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}
        self._above_inference: set[int] = set()
        """Ids of the open spans that have a counted inference somewhere below them."""

    def add(self, span: ReadableSpan, attributes: Mapping[str, Any]) -> bool:
        """Counts an ended span; true if a total changed."""
        changes: dict[str, int] = {}
        if span.status.status_code is StatusCode.ERROR:
            changes[semconv.ERRORS] = 1
        operation = _operation(attributes)
        is_above = self._was_above_inference(span)
        if operation in semconv.INFERENCE_OPERATIONS and not is_above:
            changes[semconv.INFERENCE_CALLS] = 1
            changes[semconv.USAGE_INPUT_TOKENS] = _tokens(attributes, _INPUT_TOKENS)
            changes[semconv.USAGE_OUTPUT_TOKENS] = _tokens(attributes, _OUTPUT_TOKENS)
            is_above = True
        elif operation == semconv.TOOL_OPERATION:
            changes[semconv.TOOL_CALLS] = 1
        elif operation == semconv.AGENT_OPERATION:
            changes[semconv.AGENT_CALLS] = 1
        if is_above and span.parent is not None:
            self._above_inference.add(span.parent.span_id)
        for name, more in changes.items():
            if more:
                self._counted[name] = self._counted.get(name, 0) + more
        return bool(changes)

    def _was_above_inference(self, span: ReadableSpan) -> bool:
        if not self._above_inference or span.context is None or span.context.span_id not in self._above_inference:
            return False
        self._above_inference.discard(span.context.span_id)
        return True

    def count(self) -> Count:
        counted = self._counted
        return Count(
            inference_calls=counted.get(semconv.INFERENCE_CALLS, 0),
            tool_calls=counted.get(semconv.TOOL_CALLS, 0),
            agent_calls=counted.get(semconv.AGENT_CALLS, 0),
            errors=counted.get(semconv.ERRORS, 0),
            input_tokens=counted.get(semconv.USAGE_INPUT_TOKENS, 0),
            output_tokens=counted.get(semconv.USAGE_OUTPUT_TOKENS, 0),
        )

    def attributes(self) -> dict[str, int]:
        """The totals that are not zero, as attributes."""
        return dict(self._counted)


def _operation(attributes: Mapping[str, Any]) -> object:
    operation = attributes.get(semconv.GEN_AI_OPERATION_NAME)
    return operation or _OPENINFERENCE_KINDS.get(str(attributes.get(semconv.OPENINFERENCE_KIND)))


def _tokens(attributes: Mapping[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
            return int(value)
    return 0
