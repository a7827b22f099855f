"""Calls of models that a program records although the client that made them is instrumented: these count once.

Programs recorded the calls that the AgentOps SDK did not see. Some of them are seen here, such as those of a client of
OpenAI that talks to another provider. Such an event is made from the answer of the call, when it is over, so neither
its times nor its place among the spans tell which call it is; model and tokens do.
"""

from __future__ import annotations

from typing import Any

from ..runtime import runtime
from .recorded import counts_of


def is_told(event: Any) -> bool:
    """Whether the call of an event is in the totals of the current session already. Each call is found once."""
    session = runtime.current()
    if session is None:
        return False
    model = _short(event.model)
    said = {"calls": 1, "input_tokens": _tokens(event.prompt_tokens), "output_tokens": _tokens(event.completion_tokens)}
    with counts_of(session) as recorded:  # what events have said of each model, be it in the totals twice or once
        counts = [count for name, count in session.totals.models.items() if _is_same(model, _short(name))]
        is_known = all(
            sum(getattr(count, total) for count in counts) - recorded[model, total] >= number
            for total, number in said.items()
        )
        recorded.update({(model, total): number for total, number in said.items()})
    return is_known


def _short(model: object) -> str:
    """A model without its provider: ``openai/gpt-4o`` is ``gpt-4o``."""
    return model.rpartition("/")[2] if isinstance(model, str) else ""


def _is_same(one: str, other: str) -> bool:
    """Whether a model may have answered for another: ``gpt-4o-2024-08-06`` does for ``gpt-4o``, ``gpt-4o-mini`` not."""
    short, long = sorted((one.removesuffix("-latest"), other.removesuffix("-latest")), key=len)
    return bool(short) and (short == long or (long.startswith(f"{short}-") and long[len(short) + 1 :][:1].isdigit()))


def _tokens(number: object) -> int:
    return number if isinstance(number, int) else 0
