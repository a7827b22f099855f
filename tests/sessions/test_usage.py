"""What a span says of its work, under the names of any convention, true or not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.sessions.usage import operation_of, usage_of

INPUT, OUTPUT = "agentops.session.usage.input_tokens", "agentops.session.usage.output_tokens"
CACHE_READ = "agentops.session.usage.cache_read.input_tokens"
CACHE_CREATION = "agentops.session.usage.cache_creation.input_tokens"
REASONING = "agentops.session.usage.reasoning.output_tokens"

NAMES_OF_TOKENS = [
    (INPUT, "gen_ai.usage.input_tokens"),
    (INPUT, "gen_ai.usage.prompt_tokens"),
    (INPUT, "llm.token_count.prompt"),
    (OUTPUT, "gen_ai.usage.output_tokens"),
    (OUTPUT, "gen_ai.usage.completion_tokens"),
    (OUTPUT, "llm.token_count.completion"),
    (CACHE_READ, "gen_ai.usage.cache_read.input_tokens"),
    (CACHE_READ, "llm.token_count.prompt_details.cache_read"),
    (CACHE_CREATION, "gen_ai.usage.cache_creation.input_tokens"),
    (CACHE_CREATION, "gen_ai.usage.cache_write.input_tokens"),
    (CACHE_CREATION, "llm.token_count.prompt_details.cache_write"),
    (REASONING, "gen_ai.usage.reasoning.output_tokens"),
    (REASONING, "gen_ai.usage.details.reasoning_tokens"),
    (REASONING, "llm.token_count.completion_details.reasoning"),
]
MODELS = ["gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "embedding.model_name"]
PROVIDERS = ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"]

NO_NUMBER_OF_TOKENS = [-1, -0.5, math.nan, math.inf, -math.inf, 2**40 + 1, 10**400, "7", "", True, (7,), (), None]

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.tuples(st.integers(), st.text())
)


class TestOperation:
    @pytest.mark.parametrize("operation", ["chat", "embeddings", "execute_tool", "anything else"])
    def test_is_what_the_span_says(self, operation: str) -> None:
        assert operation_of({"gen_ai.operation.name": operation}) == operation

    @pytest.mark.parametrize(
        ("kind", "operation"),
        [
            ("LLM", "chat"),
            ("EMBEDDING", "embeddings"),
            ("TOOL", "execute_tool"),
            ("AGENT", "invoke_agent"),
            ("CHAIN", None),
            ("llm", None),
        ],
    )
    def test_is_told_from_the_kinds_of_openinference(self, kind: str, operation: str | None) -> None:
        assert operation_of({"openinference.span.kind": kind}) == operation

    def test_goes_before_the_kind(self) -> None:
        said = {"gen_ai.operation.name": "execute_tool", "openinference.span.kind": "LLM"}
        assert operation_of(said) == "execute_tool"

    @given(VALUES, VALUES)
    def test_is_a_string_or_none(self, operation: Any, kind: Any) -> None:
        said = operation_of({"gen_ai.operation.name": operation, "openinference.span.kind": kind})
        assert said is None or isinstance(said, str)


class TestTokens:
    @pytest.mark.parametrize(("total", "name"), NAMES_OF_TOKENS)
    def test_of_every_name(self, total: str, name: str) -> None:
        assert usage_of({name: 7}).tokens == {total: 7}

    @pytest.mark.parametrize("total", [INPUT, OUTPUT, CACHE_READ, CACHE_CREATION, REASONING])
    def test_are_those_of_the_first_name_that_makes_sense(self, total: str) -> None:
        names = [name for of, name in NAMES_OF_TOKENS if of == total]
        for number, name in enumerate(names):
            said = dict.fromkeys(names[:number], -1) | {name: 7} | dict.fromkeys(names[number + 1 :], 9)
            assert usage_of(said).tokens == {total: 7}

    @pytest.mark.parametrize(("value", "tokens"), [(0, 0), (7, 7), (7.0, 7), (7.9, 7), (2**40, 2**40)])
    def test_may_be_any_number_of_them(self, value: float, tokens: int) -> None:
        assert usage_of({"gen_ai.usage.input_tokens": value}).tokens == {INPUT: tokens}

    @pytest.mark.parametrize("value", NO_NUMBER_OF_TOKENS, ids=lambda value: repr(value)[:12])
    def test_that_cannot_be_are_not_said(self, value: Any) -> None:
        assert usage_of({"gen_ai.usage.input_tokens": value}).tokens == {}

    def test_that_are_not_said_are_not_zero(self) -> None:
        assert usage_of({}).tokens == {}
        assert usage_of({"gen_ai.usage.output_tokens": 0}).tokens == {OUTPUT: 0}


class TestNames:
    @pytest.mark.parametrize("number", range(4))
    def test_are_the_first_that_are_there(self, number: int) -> None:
        said = {name: name for name in (*MODELS[number:], *PROVIDERS[number:])}
        assert usage_of(said)[1:] == (MODELS[number], PROVIDERS[number])

    @pytest.mark.parametrize("value", ["", 1, True, ("gpt-4o",), b"gpt-4o", None], ids=repr)
    def test_that_are_no_names_are_passed_over(self, value: Any) -> None:
        said = {"gen_ai.response.model": value, "gen_ai.request.model": "b", "gen_ai.provider.name": value}
        assert usage_of(said)[1:] == ("b", None)

    def test_that_are_long_are_cut(self) -> None:
        assert usage_of({"gen_ai.response.model": "m" * 1000}).model == "m" * 256

    def test_can_be_exported(self) -> None:
        assert usage_of({"gen_ai.response.model": "m\udcff"}).model == "m?"


@given(st.dictionaries(st.sampled_from([*(name for _, name in NAMES_OF_TOKENS), *MODELS, *PROVIDERS]), VALUES))
def test_nothing_on_a_span_does_harm(attributes: dict[str, Any]) -> None:
    tokens, model, provider = usage_of(attributes)
    assert all(type(number) is int and 0 <= number <= 2**40 for number in tokens.values())
    for name in (model, provider):
        assert name is None or 0 < len(name.encode()) <= 4 * 256
