"""What a span that has ended says of its work: by the GenAI conventions, by their older names, and by OpenInference.

Everything on a span is untrusted: a value of another type, or a number that no call can have, is as good as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from .. import semconv
from ..shield import encodable

COUNTED_AS: Final[Mapping[str, str]] = {
    **dict.fromkeys(semconv.INFERENCE_OPERATIONS, semconv.INFERENCE_CALLS),
    semconv.EMBEDDING_OPERATION: semconv.EMBEDDING_CALLS,
    semconv.TOOL_OPERATION: semconv.TOOL_CALLS,
    semconv.AGENT_OPERATION: semconv.AGENT_CALLS,
}
"""The total that a span counts in, by its operation."""

CALLS_OF_MODELS: Final = frozenset({semconv.INFERENCE_CALLS, semconv.EMBEDDING_CALLS})
"""The totals of operations that take tokens."""

WORK_OF_ITS_OWN: Final = frozenset({semconv.TOOL_OPERATION, semconv.AGENT_OPERATION, semconv.WORKFLOW_OPERATION})
"""Operations that do not report the calls below them once more: a tool that asks a model makes another call."""

MOST_TOKENS: Final = 2**40
"""Of one call. Millions of such calls add up to what still is an attribute: an integer of 64 bits."""

LONGEST_NAME: Final = 256
"""Characters of the name of a model or provider; the rest is cut off."""

_OPENINFERENCE_KINDS = {
    "LLM": "chat",
    "EMBEDDING": semconv.EMBEDDING_OPERATION,
    "TOOL": semconv.TOOL_OPERATION,
    "AGENT": semconv.AGENT_OPERATION,
}
TOKENS: Final[Mapping[str, tuple[str, ...]]] = {
    semconv.USAGE_INPUT_TOKENS: (semconv.GEN_AI_USAGE_INPUT_TOKENS, *semconv.OLD_INPUT_TOKENS),
    semconv.USAGE_OUTPUT_TOKENS: (semconv.GEN_AI_USAGE_OUTPUT_TOKENS, *semconv.OLD_OUTPUT_TOKENS),
    semconv.USAGE_CACHE_READ_INPUT_TOKENS: (
        semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
        *semconv.OLD_CACHE_READ_INPUT_TOKENS,
    ),
    semconv.USAGE_CACHE_CREATION_INPUT_TOKENS: (
        semconv.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS,
        *semconv.OLD_CACHE_CREATION_INPUT_TOKENS,
    ),
    semconv.USAGE_REASONING_OUTPUT_TOKENS: (
        semconv.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
        *semconv.OLD_REASONING_OUTPUT_TOKENS,
    ),
}
"""The names, best first, under which spans say what is added to a total."""
_TOTALS: Final[Mapping[str, tuple[str, int]]] = {
    name: (total, rank) for total, names in TOKENS.items() for rank, name in enumerate(names)
}
"""The same by name: the total, and how good the name is (0 is best)."""
_MODEL = (semconv.GEN_AI_RESPONSE_MODEL, semconv.GEN_AI_REQUEST_MODEL, *semconv.OLD_MODEL)
_PROVIDER = (semconv.GEN_AI_PROVIDER_NAME, *semconv.OLD_PROVIDER)


class Usage(NamedTuple):
    """What a span says of a call of a model."""

    tokens: dict[str, int]
    """By the name of their total; only those that the span says."""
    model: str | None
    provider: str | None


def operation_of(attributes: Mapping[str, Any]) -> str | None:
    """``gen_ai.operation.name``, or the operation that OpenInference's kind of span stands for."""
    operation = attributes.get(semconv.GEN_AI_OPERATION_NAME)
    if operation:
        return operation if isinstance(operation, str) else None
    kind = attributes.get(semconv.OPENINFERENCE_KIND)
    return _OPENINFERENCE_KINDS.get(kind) if isinstance(kind, str) else None


def usage_of(attributes: Mapping[str, Any]) -> Usage:
    """What the attributes of an inference or embedding span say."""
    tokens: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for name, value in attributes.items():  # fewer than the names there are
        if name in _TOTALS:
            total, rank = _TOTALS[name]
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
            if is_number and rank <= ranks.get(total, rank):
                tokens[total] = int(value)
                ranks[total] = rank
    return Usage(tokens, _name(attributes, _MODEL), _name(attributes, _PROVIDER))


def _name(attributes: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return _clean(value[:LONGEST_NAME])
    return None


_clean = lru_cache(maxsize=256)(encodable)  # there are few names
