"""What a call of a model costs, by the tables of `genai-prices`, where that is installed.

Nothing here uses the network: the tables are a part of that package, and it fetches newer ones only for programs
that ask it to.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from time import monotonic
from typing import Any

from . import semconv
from .shield import Shield

_LOADING = Shield("importing genai-prices")
_PRICING = Shield("pricing a call of a model")

PER_DOLLAR = 10**12
"""Costs are integers, in millionths of a millionth of a US dollar: these add up exactly, and can be taken off again,
whatever the decimal context of the thread."""

_PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
    # What instrumentations write, or wrote, in place of these.
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "bedrock": "aws",
    "gemini": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "vertex_ai": "google",
    "vertexai": "google",
    "xai": "x-ai",
}
"""Ids of genai-prices, by ``gen_ai.provider.name``, where they differ."""

_AGAIN = 3600.0
"""Seconds after which a model that is not in the tables is looked for again: a program may have newer ones by then."""

_MOST_UNKNOWN = 1000
_unknown: dict[tuple[str, str], float] = {}
"""Providers and models that are not in the tables, and until when that is taken for granted. To find that out takes
longer than any price, and who runs a model himself would pay it with every call."""


@cache
def load() -> Any:
    """Imports `genai_prices`, once: that takes most of a second. None where it is not installed, or broken."""
    with _LOADING:
        try:
            import genai_prices  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        return genai_prices
    return None


def cost(provider: str, model: str, tokens: Mapping[str, int], time: int) -> int | None:
    """The cost of one call, by the prices at ``time`` (nanoseconds since the epoch); None where it is not known.

    ``tokens`` are those of the call by the names of their totals: of the input with what a cache answered for, of the
    output with the reasoning. Thread-safe, but not for a finalizer: it may import.
    """
    genai_prices = load()
    if genai_prices is None:
        return None
    wanted = _PROVIDERS.get(provider.lower(), provider.lower())
    if _unknown.get((wanted, model), 0.0) > monotonic():
        return None
    with _PRICING, decimal.localcontext(decimal.Context()):
        usage = genai_prices.Usage(
            input_tokens=tokens.get(semconv.USAGE_INPUT_TOKENS),
            output_tokens=tokens.get(semconv.USAGE_OUTPUT_TOKENS),
            cache_read_tokens=tokens.get(semconv.USAGE_CACHE_READ_INPUT_TOKENS),
            cache_write_tokens=tokens.get(semconv.USAGE_CACHE_CREATION_INPUT_TOKENS),
        )
        # Set, not passed: older releases have no price of its own for it, and no such argument.
        usage.output_reasoning_tokens = tokens.get(semconv.USAGE_REASONING_OUTPUT_TOKENS)
        try:
            price = genai_prices.calc_price(
                usage,
                model,
                provider_id=wanted,
                genai_request_timestamp=datetime.fromtimestamp(time / 1e9, timezone.utc),
            )
        except (ValueError, ArithmeticError, OSError):
            return None  # a usage or a time that cannot be
        except LookupError:
            price = None
        # It takes a provider that it does not know for one with a similar name.
        if price is not None and price.provider.id == wanted:
            found: int = round(price.total_price * PER_DOLLAR)
            return found
        if len(_unknown) >= _MOST_UNKNOWN:
            _unknown.clear()
        _unknown[wanted, model] = monotonic() + _AGAIN
    return None
