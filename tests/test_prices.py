"""Costs, by the real tables of genai-prices."""

from __future__ import annotations

import decimal
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from support import programs
from support.otlp import Receiver
from support.spans import Spans, attributes, poll

import agentops_otel as ao
from agentops_otel import prices
from agentops_otel.runtime import runtime
from agentops_otel.sessions.totals import ModelCount

genai_prices = pytest.importorskip("genai_prices")

INPUT, OUTPUT = "agentops.session.usage.input_tokens", "agentops.session.usage.output_tokens"
CACHE_READ = "agentops.session.usage.cache_read.input_tokens"
CACHE_CREATION = "agentops.session.usage.cache_creation.input_tokens"
REASONING = "agentops.session.usage.reasoning.output_tokens"

NOW = 1_750_000_000_000_000_000
TOKENS = {INPUT: 12_345, OUTPUT: 678}


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    """No test finds out by another that a model has no price."""
    prices._unknown.clear()


def calculated(provider: str, model: str, time: int = NOW, **usage: int) -> float:
    """What genai-prices says itself, in US dollars."""
    price = genai_prices.calc_price(
        genai_prices.Usage(**usage),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(time / 1e9, timezone.utc),
    )
    return float(price.total_price)


def dollars(cost: int | None) -> float:
    assert cost is not None
    return cost / prices.PER_DOLLAR


class TestCost:
    @pytest.mark.parametrize(
        ("provider", "model"),
        [("openai", "gpt-4o-mini"), ("openai", "gpt-4o-mini-2024-07-18"), ("anthropic", "claude-sonnet-4-5")],
    )
    def test_is_what_genai_prices_calculates(self, provider: str, model: str) -> None:
        expected = calculated(provider, model, input_tokens=12_345, output_tokens=678)
        assert expected > 0
        assert dollars(prices.cost(provider, model, TOKENS, NOW)) == expected

    def test_of_what_a_cache_answers_for_is_another_one(self) -> None:
        cached = TOKENS | {CACHE_READ: 10_000, CACHE_CREATION: 2_000}
        expected = calculated(
            "anthropic",
            "claude-sonnet-4-5",
            input_tokens=12_345,
            output_tokens=678,
            cache_read_tokens=10_000,
            cache_write_tokens=2_000,
        )
        found = dollars(prices.cost("anthropic", "claude-sonnet-4-5", cached, NOW))
        assert found == expected
        assert found < dollars(prices.cost("anthropic", "claude-sonnet-4-5", TOKENS, NOW))

    def test_of_reasoning_is_that_of_output_where_it_has_no_price_of_its_own(self) -> None:
        plain = prices.cost("openai", "gpt-5-mini", TOKENS, NOW)
        assert plain is not None
        assert prices.cost("openai", "gpt-5-mini", TOKENS | {REASONING: 600}, NOW) == plain

    def test_of_an_embedding_is_that_of_its_input(self) -> None:
        expected = calculated("openai", "text-embedding-3-small", input_tokens=1000)
        assert expected > 0
        assert dollars(prices.cost("openai", "text-embedding-3-small", {INPUT: 1000}, NOW)) == expected

    def test_is_that_of_one_call_where_long_ones_are_dearer(self) -> None:
        model = "gemini-2.5-pro"
        short = dollars(prices.cost("gcp.gemini", model, {INPUT: 150_000, OUTPUT: 0}, NOW))
        long = dollars(prices.cost("gcp.gemini", model, {INPUT: 300_000, OUTPUT: 0}, NOW))
        assert short == calculated("google", model, input_tokens=150_000, output_tokens=0)
        assert long > 2 * short

    @pytest.mark.parametrize(
        ("name", "provider", "model"),
        [
            ("aws.bedrock", "aws", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
            ("az.ai.openai", "azure", "gpt-4o"),
            ("azure.ai.openai", "azure", "gpt-4o"),
            ("gcp.gemini", "google", "gemini-2.0-flash"),
            ("gcp.vertex_ai", "google", "gemini-2.0-flash"),
            ("google-gla", "google", "gemini-2.0-flash"),
            ("mistral_ai", "mistral", "mistral-large-latest"),
            ("x_ai", "x-ai", "grok-3"),
            ("groq", "groq", "llama-3.1-8b-instant"),
            ("OpenAI", "openai", "gpt-4o"),
        ],
    )
    def test_is_found_by_the_provider_names_of_opentelemetry(self, name: str, provider: str, model: str) -> None:
        expected = calculated(provider, model, input_tokens=12_345, output_tokens=678)
        assert expected > 0
        assert dollars(prices.cost(name, model, TOKENS, NOW)) == expected

    def test_does_not_depend_on_the_decimal_context_of_the_thread(self) -> None:
        expected = prices.cost("openai", "gpt-4o-mini", TOKENS, NOW)
        with decimal.localcontext(decimal.Context(prec=1, traps=[decimal.Inexact])):
            assert prices.cost("openai", "gpt-4o-mini", TOKENS, NOW) == expected


class TestNoCost:
    @pytest.mark.parametrize(
        ("provider", "model"),
        [
            ("openai", "a-model-that-nobody-has"),
            ("openai", ""),
            ("a-provider-that-nobody-has", "gpt-4o-mini"),
            ("my-openai-proxy", "gpt-4o-mini"),  # genai-prices itself takes it for OpenAI
            ("", "gpt-4o-mini"),
            ("ollama", "llama3.2"),
        ],
    )
    def test_of_what_is_not_in_the_tables(self, provider: str, model: str) -> None:
        assert prices.cost(provider, model, TOKENS, NOW) is None

    def test_of_what_is_not_in_the_tables_is_asked_for_once_an_hour(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []
        calculate = genai_prices.calc_price

        def counted(*arguments: Any, **named: Any) -> Any:
            asked.append(arguments[1])
            return calculate(*arguments, **named)

        monkeypatch.setattr(genai_prices, "calc_price", counted)
        for model in ("mine", "mine", "gpt-4o-mini", "gpt-4o-mini", "mine"):
            assert (prices.cost("openai", model, TOKENS, NOW) is None) == (model == "mine")
        assert asked == ["mine", "gpt-4o-mini", "gpt-4o-mini"]
        later = time.monotonic() + 3601
        monkeypatch.setattr("agentops_otel.prices.monotonic", lambda: later)
        assert prices.cost("openai", "mine", TOKENS, NOW) is None
        assert asked[3:] == ["mine"]

    def test_of_many_that_are_not_in_the_tables_few_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prices, "_MOST_UNKNOWN", 3)
        for number in range(10):
            assert prices.cost("openai", f"mine {number}", TOKENS, NOW) is None
        assert len(prices._unknown) <= 3

    def test_of_a_usage_that_cannot_be(self) -> None:
        assert prices.cost("openai", "gpt-4o-mini", {INPUT: 1, OUTPUT: 1, CACHE_READ: 100}, NOW) is None

    @pytest.mark.parametrize("time", [10**30, -(10**30)])
    def test_at_a_time_that_cannot_be(self, time: int) -> None:
        assert prices.cost("openai", "gpt-4o-mini", TOKENS, time) is None


def call(spans: Spans, provider: str | None = "openai", model: str | None = "gpt-4o-mini", **said: Any) -> None:
    """A chat of 12,345 tokens in and 678 out, where nothing else is said; None leaves something unsaid."""
    names: dict[str, Any] = {"gen_ai.provider.name": provider, "gen_ai.request.model": model}
    usage: dict[str, Any] = {"gen_ai.usage.input_tokens": 12_345, "gen_ai.usage.output_tokens": 678} | said
    all_said = usage | names | {"gen_ai.operation.name": "chat"}
    spans.tracer.start_span("chat", attributes={name: v for name, v in all_said.items() if v is not None}).end()


PRICE = calculated("openai", "gpt-4o-mini", input_tokens=12_345, output_tokens=678)


class TestCostOfASession:
    def test_is_that_of_its_calls(self, spans: Spans) -> None:
        with ao.session() as session:
            call(spans)
            call(spans)
        assert session.totals.cost == pytest.approx(2 * PRICE, abs=1e-12)
        assert session.totals.unpriced_calls == 0
        assert session.totals.models == {
            "gpt-4o-mini": ModelCount(calls=2, input_tokens=24_690, output_tokens=1356, cost=session.totals.cost)
        }

    def test_stands_on_the_root(self, spans: Spans) -> None:
        with ao.session() as session:
            call(spans)
            call(spans, model="unheard-of")
        root = attributes(spans.root())
        assert root["agentops.session.cost"] == session.totals.cost == pytest.approx(PRICE, abs=1e-12)
        assert root["agentops.session.unpriced_calls"] == 1
        assert root["agentops.session.models"] == ("gpt-4o-mini", "unheard-of")
        assert "agentops.session.models.cost" not in root  # nothing that could stand there for the other

    def test_stands_there_by_model_where_all_are_known(self, spans: Spans) -> None:
        with ao.session():
            call(spans)
            call(spans, model="gpt-4o")
        first, second = attributes(spans.root())["agentops.session.models.cost"]
        assert first == pytest.approx(PRICE, abs=1e-12)
        assert second == pytest.approx(
            calculated("openai", "gpt-4o", input_tokens=12_345, output_tokens=678), abs=1e-12
        )

    def test_is_taken_back_from_the_root_where_it_is_no_longer_known_of_each_model(self, spans: Spans) -> None:
        with ao.session() as session:
            call(spans)
            runtime.registry.attend()
            call(spans, model="unheard-of")
        assert session.totals.cost == pytest.approx(PRICE, abs=1e-12)
        assert attributes(spans.root())["agentops.session.models.cost"] == ()

    def test_is_there_while_the_session_is_open(self, spans: Spans) -> None:
        with ao.session():
            call(spans)
            root: Any = trace.get_current_span()
            poll(lambda: "agentops.session.cost" in root.attributes)  # the worker writes it
            assert root.attributes["agentops.session.cost"] == pytest.approx(PRICE, abs=1e-12)

    @pytest.mark.parametrize(
        "said",
        [
            {"model": "unheard-of"},
            {"provider": None},
            {"provider": "unheard-of"},
            {"gen_ai.usage.input_tokens": None},
            {"gen_ai.usage.output_tokens": None},
            {"gen_ai.usage.cache_read.input_tokens": 99_999},
        ],
        ids=str,
    )
    def test_is_not_known_of_a_call_that_cannot_be_priced(self, spans: Spans, said: dict[str, Any]) -> None:
        with ao.session() as session:
            call(spans, **said)
        assert (session.totals.cost, session.totals.unpriced_calls) == (None, 1)
        assert "agentops.session.cost" not in attributes(spans.root())
        assert attributes(spans.root())["agentops.session.unpriced_calls"] == 1

    def test_is_not_asked_for_where_no_model_is_named(self, spans: Spans) -> None:
        with ao.session() as session:
            call(spans, model=None)
        assert (session.totals.cost, session.totals.unpriced_calls) == (None, 0)

    def test_is_that_of_the_time_of_the_call(self, spans: Spans) -> None:
        usage: dict[str, Any] = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 1000}
        said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "o3"}
        before = 1_700_000_000_000_000_000  # since then the model has become cheaper
        with ao.session() as session:
            spans.tracer.start_span("chat", attributes=said | usage, start_time=before).end()
        expected = calculated("openai", "o3", before, input_tokens=1000, output_tokens=1000)
        assert expected > calculated("openai", "o3", input_tokens=1000, output_tokens=1000)
        assert session.totals.cost == pytest.approx(expected, abs=1e-12)

    def test_is_also_that_of_embeddings(self, spans: Spans) -> None:
        with ao.session() as session:
            said = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"}
            usage: dict[str, Any] = {"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 1000}
            spans.tracer.start_span("embeddings", attributes=said | usage).end()
        expected = calculated("openai", "text-embedding-3-small", input_tokens=1000)
        assert session.totals.cost == pytest.approx(expected, abs=1e-12)


def run(program: str, env: Mapping[str, str] | None = None) -> str:
    outcome = programs.run(["-c", program], env, timeout=60)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr == ""
    return outcome.stdout


def test_genai_prices_is_imported_by_the_worker_and_connects_to_nothing() -> None:
    program = """
import sys, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
seen = []
def hook(event, arguments):
    if event == "import" and arguments[0] == "genai_prices":
        seen.append((event, threading.current_thread().name))
    elif event.startswith("socket."):
        seen.append((event, threading.current_thread().name))
sys.addaudithook(hook)
import agentops_otel as ao
trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("program")
said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 1000}
with ao.session() as session:
    tracer.start_span("nothing to price", attributes={"gen_ai.operation.name": "execute_tool"}).end()
    session.totals
    assert "genai_prices" not in sys.modules
    root = trace.get_current_span()
    tracer.start_span("chat", attributes=said).end()
    while "agentops.session.cost" not in root.attributes:
        threading.Event().wait(0.01)
print(seen)
"""
    assert run(program) == "[('import', 'agentops-otel')]\n"


def test_a_session_that_the_exit_ends_has_its_cost(receiver: Receiver) -> None:
    program = """
import agentops_otel as ao
from opentelemetry import trace
ao.configure()
said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 12_345, "gen_ai.usage.output_tokens": 678}
session = ao.start_session()
trace.get_tracer("program").start_span("chat", attributes=said).end()
"""
    run(program, env=receiver.environment())
    [root] = receiver.sessions()
    assert root.attributes["agentops.session.end_reason"] == "process_exit"
    assert root.attributes["agentops.session.cost"] == pytest.approx(PRICE, abs=1e-12)


def test_without_genai_prices_there_are_no_costs_and_no_complaints() -> None:
    program = """
import sys
sys.modules["genai_prices"] = None  # as if it were not installed
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
import agentops_otel as ao
trace.set_tracer_provider(TracerProvider())
said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 1000}
with ao.session() as session:
    root = trace.get_current_span()
    trace.get_tracer("program").start_span("chat", attributes=said).end()
print(session.totals.cost, session.totals.unpriced_calls, session.totals.models["gpt-4o-mini"])
"""
    assert run(program) == "None 0 ModelCount(calls=1, input_tokens=1000, output_tokens=1000, cost=None)\n"


def test_a_broken_genai_prices_costs_one_warning(tmp_path: Path) -> None:
    (tmp_path / "genai_prices.py").write_text("1 / 0\n")
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
import agentops_otel as ao
trace.set_tracer_provider(TracerProvider())
said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
for _ in range(2):
    with ao.session() as session:
        trace.get_tracer("program").start_span("chat", attributes=said).end()
    print(session.totals.inference_calls, session.totals.cost)
"""
    outcome = programs.run(["-c", program, tmp_path], timeout=60)
    assert outcome.stdout == "1 None\n1 None\n"
    assert outcome.stderr.count("failed while importing genai-prices") == 1
