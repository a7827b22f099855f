"""Real clients and frameworks whose calls are reported two or three times: the totals are what the server answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest
from llm_server import LLMServer
from llm_server.brain import Usage, count_tokens, think
from llm_server.server import FORMATS, Request
from support.otlp import Receiver, Span
from support.programs import run, script

TOTALS = "agentops.session."


@dataclass(frozen=True)
class Program:
    """A program that makes each kind of call in a session of that name; the questions begin with it too."""

    name: str
    needs: tuple[str, ...]
    provider: str
    sessions: tuple[str, ...]


PROGRAMS = (
    Program(
        "counted_once_pydantic_ai",
        ("pydantic_ai", "openai", "opentelemetry.instrumentation.genai.openai"),
        "openai",
        tuple(f"{how} {what}" for how in ("plain", "streamed", "first", "second") for what in ("chat", "responses")),
    ),
    Program(
        "counted_once_anthropic",
        ("anthropic", "opentelemetry.instrumentation.genai.anthropic"),
        "anthropic",
        ("plain", "created stream", "stream", "async", "async created stream", "async stream"),
    ),
    Program(
        "counted_once_openinference",
        ("openai", "openinference.instrumentation.openai", "opentelemetry.instrumentation.genai.openai"),
        "openai",
        (
            "plain",
            "stream",
            "responses",
            "responses stream",
            "embeddings",
            "async",
            "async stream",
            "async responses stream",
        ),
    ),
)


def is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is in
        return False


@dataclass(frozen=True)
class Played:
    """What a program asked for, and what arrived of it."""

    program: Program
    requests: tuple[Request, ...]
    spans: tuple[Span, ...]

    def root(self, session: str) -> Span:
        [root] = [span for span in self.spans if span.parent_id is None and span.name == f"session {session}"]
        return root

    def reports(self, session: str) -> list[Span]:
        """The spans of a session that report calls of models."""
        trace_id = self.root(session).trace_id
        return [span for span in self.spans if span.trace_id == trace_id and is_report(span.attributes)]

    def answers(self, session: str) -> list[tuple[str, Usage]]:
        """Model and usage of each answer that the server gave to a session."""
        asked = [request for request in self.requests if is_about(request.body, session)]
        return [(request.body["model"], usage(request)) for request in asked]


def is_report(attributes: Mapping[str, Any]) -> bool:
    return attributes.get("gen_ai.operation.name") in ("chat", "embeddings") or attributes.get(
        "openinference.span.kind"
    ) in ("LLM", "EMBEDDING")


def is_about(body: dict[str, Any], session: str) -> bool:
    return f'"{session}: ' in json.dumps(body)


def usage(request: Request) -> Usage:
    """What the server says of its answer: the scripted model gives the same one every time."""
    endpoint = request.path.partition("?")[0].removeprefix("/v1")
    if endpoint == "/embeddings":
        return Usage(count_tokens(request.body["input"]), 0, 0, 0)
    return think(FORMATS[endpoint].parse(request.body)).usage


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.name)
def played(request: pytest.FixtureRequest) -> Iterator[Played]:
    program: Program = request.param
    missing = [module for module in program.needs if not is_there(module)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    with Receiver() as receiver, LLMServer() as server:
        outcome = run([script(program.name), server.url], receiver.environment(), timeout=100)
        assert (outcome.returncode, outcome.stderr) == (0, "")
        yield Played(program, tuple(server.requests), tuple(receiver.spans))


def test_each_call_is_reported_more_than_once(played: Played) -> None:
    for session in played.program.sessions:
        answers = played.answers(session)
        assert len(answers) >= 1
        assert len(played.reports(session)) == 2 * len(answers)


def test_totals_are_what_the_server_answered(played: Played) -> None:
    for session in played.program.sessions:
        answers = [usage for _, usage in played.answers(session)]
        calls = "embedding.calls" if session == "embeddings" else "inference.calls"
        expected = {
            calls: len(answers),
            "usage.input_tokens": sum(usage.input for usage in answers),
            "usage.output_tokens": sum(usage.output for usage in answers),
            "usage.cache_read.input_tokens": sum(usage.cached for usage in answers),
            "usage.reasoning.output_tokens": sum(usage.reasoning for usage in answers),
        }
        root = played.root(session).attributes
        found = {name: root.get(TOTALS + name, 0) for name in expected}
        assert found == expected, session


def test_totals_by_model_are_the_same(played: Played) -> None:
    for session in played.program.sessions:
        [model] = {model for model, _ in played.answers(session)}
        root = played.root(session).attributes
        assert root[f"{TOTALS}models"] == (model,)
        assert root[f"{TOTALS}models.calls"] == (len(played.answers(session)),)
        assert root[f"{TOTALS}models.usage.input_tokens"] == (root[f"{TOTALS}usage.input_tokens"],)
        assert root[f"{TOTALS}models.usage.output_tokens"] == (root.get(f"{TOTALS}usage.output_tokens", 0),)


def test_cost_is_that_of_the_answers(played: Played) -> None:
    genai_prices = pytest.importorskip("genai_prices")
    for session in played.program.sessions:
        expected = sum(
            genai_prices.calc_price(
                genai_prices.Usage(
                    input_tokens=usage.input, cache_read_tokens=usage.cached, output_tokens=usage.output
                ),
                model,
                provider_id=played.program.provider,
            ).total_price
            for model, usage in played.answers(session)
        )
        root = played.root(session).attributes
        assert root[f"{TOTALS}cost"] == pytest.approx(float(expected), abs=1e-12)
        assert f"{TOTALS}unpriced_calls" not in root


def test_some_of_it_came_from_a_cache_or_was_reasoning(played: Played) -> None:
    usages = [usage for session in played.program.sessions for _, usage in played.answers(session)]
    assert any(usage.cached or usage.reasoning for usage in usages)
