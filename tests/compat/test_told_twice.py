"""Calls of models that a program records, and its client too."""

from __future__ import annotations

from typing import Any

import pytest
from support.spans import Spans, attributes

import agentops_otel.compat as agentops


def report_by_client(spans: Spans, model: str, tokens: int) -> None:
    """A span as an instrumentation of a client writes it."""
    span = spans.tracer.start_span(f"chat {model}")
    span.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.response.model": model,
            "gen_ai.usage.input_tokens": tokens,
            "gen_ai.usage.output_tokens": 1,
        }
    )
    span.end()


@pytest.mark.parametrize(
    ("model", "tokens", "calls"),
    [
        ("gpt-4o", 5, 1),
        ("openai/gpt-4o-latest", 5, 1),
        ("gpt-4", 5, 2),
        ("gpt-4o-mini", 5, 2),
        ("gpt-4o", 6, 2),
        (None, 5, 2),
        (7, 5, 2),
    ],
)
def test_a_call_that_its_client_has_reported_too_counts_once(spans: Spans, model: Any, tokens: int, calls: int) -> None:
    with agentops.start_trace("t"):
        report_by_client(spans, "gpt-4o-2024-08-06", 5)
        agentops.record(agentops.LLMEvent(model=model, prompt_tokens=tokens, completion_tokens=1))
    found = attributes(spans.root())
    assert found["agentops.session.inference.calls"] == calls
    assert found["agentops.session.usage.input_tokens"] == (5 if calls == 1 else 5 + tokens)


def test_calls_of_two_clients_of_one_model_all_count(spans: Spans) -> None:
    with agentops.start_trace("t"):
        for _ in range(3):
            agentops.record(agentops.LLMEvent(model="m", prompt_tokens=2, completion_tokens=1))
            report_by_client(spans, "m", 2)
            agentops.record(agentops.LLMEvent(model="m", prompt_tokens=2, completion_tokens=1))
    assert attributes(spans.root())["agentops.session.inference.calls"] == 6


def test_a_failed_call_is_told_even_if_its_client_has(spans: Spans) -> None:
    with agentops.start_trace("t"):
        report_by_client(spans, "m", 2)
        agentops.record(agentops.ErrorEvent(exception=ValueError("no"), trigger_event=agentops.LLMEvent(model="m")))
    assert len([span for span in spans.all() if span.name == "chat m"]) == 2
