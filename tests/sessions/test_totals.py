"""Totals: what a session consumed, each inference counted once, at its leaf."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode
from support.spans import Spans, attributes, in_use, poll

import agentops_otel as ao
from agentops_otel.sessions.totals import Count

OPERATION = "gen_ai.operation.name"
INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
TOTALS = "agentops.session."


def count(spans: Spans, *children: dict[str, Any]) -> Count:
    """The totals of a session with these spans in it, one after the other."""
    with ao.session() as session:
        for said in children:
            spans.tracer.start_span("span", attributes=said).end()
    return session.totals


class TestCounts:
    @pytest.mark.parametrize("operation", ["chat", "generate_content", "text_completion"])
    def test_inferences(self, spans: Spans, operation: str) -> None:
        said = {OPERATION: operation, INPUT: 10, OUTPUT: 5}
        assert count(spans, said, said) == Count(inference_calls=2, input_tokens=20, output_tokens=10)

    def test_tool_calls(self, spans: Spans) -> None:
        assert count(spans, {OPERATION: "execute_tool"}) == Count(tool_calls=1)

    def test_agent_calls(self, spans: Spans) -> None:
        assert count(spans, {OPERATION: "invoke_agent"}) == Count(agent_calls=1)

    @pytest.mark.parametrize(
        "operation", ["embeddings", "retrieval", "create_agent", "invoke_workflow", "session", "CHAT", "", 1]
    )
    def test_no_other_operation(self, spans: Spans, operation: Any) -> None:
        assert count(spans, {OPERATION: operation, INPUT: 10}) == Count()

    def test_errors_of_any_span(self, spans: Spans) -> None:
        with ao.session() as session:
            for operation in ("chat", "execute_tool", "other", None):
                span = spans.tracer.start_span("span", attributes={OPERATION: operation} if operation else None)
                span.set_status(StatusCode.ERROR)
                span.end()
            spans.tracer.start_span("fine").end()
        assert session.totals == Count(inference_calls=1, tool_calls=1, errors=4)

    def test_the_error_of_the_session_itself_is_none_of_its_spans(self, spans: Spans) -> None:
        with ao.session() as session:
            pass
        session.end("error")
        with pytest.raises(ValueError, match="mine"), ao.session() as session:
            raise ValueError("mine")
        assert session.totals == Count()

    def test_what_was_set_after_the_start_of_the_span(self, spans: Spans) -> None:
        with ao.session() as session, spans.tracer.start_as_current_span("span") as span:
            span.set_attributes({OPERATION: "chat", INPUT: 3})
        assert session.totals.input_tokens == 3

    def test_only_spans_of_the_session(self, spans: Spans) -> None:
        with ao.session() as outer:
            spans.tracer.start_span("outer", attributes={OPERATION: "chat"}).end()
            with ao.session() as inner:
                spans.tracer.start_span("inner", attributes={OPERATION: "chat"}).end()
                spans.tracer.start_span("inner", attributes={OPERATION: "chat"}).end()
        spans.tracer.start_span("outside", attributes={OPERATION: "chat"}).end()
        assert (outer.totals.inference_calls, inner.totals.inference_calls) == (1, 2)

    def test_spans_that_outlive_the_session_on_the_handle(self, spans: Spans) -> None:
        with ao.session() as session:
            late = spans.tracer.start_span("late", attributes={OPERATION: "chat"})
        assert session.totals == Count()
        late.end()
        assert session.totals == Count(inference_calls=1)

    def test_once_with_two_session_processors(self) -> None:
        with in_use(Spans(before=[ao.SessionSpanProcessor(), ao.SessionSpanProcessor()])) as spans:
            assert count(spans, {OPERATION: "chat", INPUT: 1}) == Count(inference_calls=1, input_tokens=1)


class TestOldNames:
    @pytest.mark.parametrize("name", [INPUT, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"])
    def test_of_input_tokens(self, spans: Spans, name: str) -> None:
        assert count(spans, {OPERATION: "chat", name: 7}).input_tokens == 7

    @pytest.mark.parametrize("name", [OUTPUT, "gen_ai.usage.completion_tokens", "llm.token_count.completion"])
    def test_of_output_tokens(self, spans: Spans, name: str) -> None:
        assert count(spans, {OPERATION: "chat", name: 7}).output_tokens == 7

    def test_are_not_added_to_the_new_one(self, spans: Spans) -> None:
        said = {OPERATION: "chat", INPUT: 7, "gen_ai.usage.prompt_tokens": 7, "llm.token_count.prompt": 7}
        assert count(spans, said).input_tokens == 7

    def test_stand_in_for_a_new_one_that_makes_no_sense(self, spans: Spans) -> None:
        assert count(spans, {OPERATION: "chat", INPUT: -1, "gen_ai.usage.prompt_tokens": 7}).input_tokens == 7

    @pytest.mark.parametrize(
        ("kind", "counted"),
        [
            ("LLM", Count(inference_calls=1)),
            ("TOOL", Count(tool_calls=1)),
            ("AGENT", Count(agent_calls=1)),
            ("CHAIN", Count()),
            ("llm", Count()),
            (1, Count()),
        ],
    )
    def test_of_kinds(self, spans: Spans, kind: Any, counted: Count) -> None:
        assert count(spans, {"openinference.span.kind": kind}) == counted

    def test_of_kinds_give_way_to_the_operation(self, spans: Spans) -> None:
        said = {"openinference.span.kind": "LLM", OPERATION: "execute_tool"}
        assert count(spans, said) == Count(tool_calls=1)


class TestTokens:
    @pytest.mark.parametrize(
        "value", [-1, -0.5, math.nan, math.inf, -math.inf, "7", "", True, False, (7,), ()], ids=repr
    )
    def test_that_are_no_number_of_tokens_are_ignored(self, spans: Spans, value: Any) -> None:
        counted = count(spans, {OPERATION: "chat", INPUT: value, OUTPUT: 5})
        assert counted == Count(inference_calls=1, output_tokens=5)

    @pytest.mark.parametrize(("value", "counted"), [(0, 0), (7, 7), (7.0, 7), (7.9, 7), (2**40, 2**40)])
    def test_that_are_count(self, spans: Spans, value: Any, counted: int) -> None:
        assert count(spans, {OPERATION: "chat", INPUT: value}).input_tokens == counted

    @given(st.lists(st.one_of(st.integers(-5, 5), st.floats(), st.text(max_size=2), st.booleans()), max_size=5))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_never_go_down_or_break(self, spans: Spans, values: list[Any]) -> None:
        counted = count(spans, *({OPERATION: "chat", INPUT: value} for value in values))
        assert counted.inference_calls == len(values)
        assert counted.input_tokens >= sum(value for value in values if type(value) is int and value > 0)


class TestOnTheRoot:
    def test_stand_as_attributes_where_they_are_not_zero(self, spans: Spans) -> None:
        count(spans, {OPERATION: "chat", INPUT: 10}, {OPERATION: "execute_tool"})
        totals = {name: value for name, value in attributes(spans.root()).items() if name.startswith(TOTALS)}
        assert totals == {
            "agentops.session.inference.calls": 1,
            "agentops.session.usage.input_tokens": 10,
            "agentops.session.tool.calls": 1,
            "agentops.session.end_state": "success",
            "agentops.session.end_reason": "completed",
        }

    def test_are_kept_current_while_the_session_is_open(self, spans: Spans) -> None:
        with ao.session() as session:
            for number in range(1, 4):
                spans.tracer.start_span("span", attributes={OPERATION: "chat"}).end()
                assert session.totals.inference_calls == number
            root: Any = trace.get_current_span()
            poll(lambda: root.attributes.get("agentops.session.inference.calls") == 3)  # the worker writes them

    def test_are_there_however_the_session_ends(self, spans: Spans) -> None:
        left_open = []
        with suppress(KeyboardInterrupt), ao.session():
            left_open.append(spans.tracer.start_span("span", attributes={OPERATION: "chat", OUTPUT: 2}))
            raise KeyboardInterrupt
        assert attributes(spans.root())["agentops.session.inference.calls"] == 1
        assert attributes(spans.root())["agentops.session.usage.output_tokens"] == 2

    def test_also_of_a_child_that_hostile_processors_end_out_of_turn(self) -> None:
        class Quiet(SpanProcessor):
            pass

        with in_use(Spans(before=[Quiet()], after=[Quiet()])) as spans:
            count(spans, {OPERATION: "chat"})
            assert attributes(spans.root())["agentops.session.inference.calls"] == 1


# -- nested reports of one inference --


@dataclass
class Node:
    """A span of a session; each number of tokens tells which spans were counted."""

    parent: Node | None
    operation: str | None
    tokens: int
    children: list[Node] = field(default_factory=list)

    @property
    def is_inference(self) -> bool:
        return self.operation == "chat"

    @property
    def is_leaf(self) -> bool:
        """An inference with no other one below it."""
        return self.is_inference and not any(child.has_inference for child in self.children)

    @property
    def has_inference(self) -> bool:
        return self.is_inference or any(child.has_inference for child in self.children)


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """The spans of a session in the order of their starts."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(0, 8))):
        parent = draw(st.sampled_from([None, *nodes]))
        operation = draw(st.sampled_from(["chat", "chat", "execute_tool", "invoke_agent", None]))
        node = Node(parent, operation, 10**number)
        if parent is not None:
            parent.children.append(node)
        nodes.append(node)
    return nodes


def play(spans: Spans, nodes: list[Node], order: list[Node]) -> Count:
    """Starts the spans, ends them in this order."""
    started: dict[int, trace.Span] = {}
    with ao.session() as session:
        for node in nodes:
            said = {INPUT: node.tokens} | ({OPERATION: node.operation} if node.operation else {})
            parent = None if node.parent is None else trace.set_span_in_context(started[id(node.parent)])
            started[id(node)] = spans.tracer.start_span("span", context=parent, attributes=said)
        for node in order:
            started[id(node)].end()
    return session.totals


def expected(nodes: list[Node]) -> Count:
    leaves = [node for node in nodes if node.is_leaf]
    return Count(
        inference_calls=len(leaves),
        input_tokens=sum(leaf.tokens for leaf in leaves),
        tool_calls=sum(node.operation == "execute_tool" for node in nodes),
        agent_calls=sum(node.operation == "invoke_agent" for node in nodes),
    )


@given(data=st.data(), nodes=trees())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_leaf_counts_once_where_children_end_before_their_parents(
    spans: Spans, data: st.DataObject, nodes: list[Node]
) -> None:
    order: list[Node] = []
    while len(order) < len(nodes):
        ready = [
            n for n in nodes if not any(n is o for o in order) and all(any(c is o for o in order) for c in n.children)
        ]
        order.append(ready[data.draw(st.integers(0, len(ready) - 1))])
    assert play(spans, nodes, order) == expected(nodes)


@given(data=st.data(), nodes=trees())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_leaf_is_missed_or_counted_twice_in_any_order_of_ends(
    spans: Spans, data: st.DataObject, nodes: list[Node]
) -> None:
    order = [nodes[number] for number in data.draw(st.permutations(range(len(nodes))))]
    counted = str(play(spans, nodes, order).input_tokens).zfill(len(nodes))[::-1]
    assert set(counted) <= {"0", "1"}
    for number, node in enumerate(nodes):
        assert counted[number] == "1" or not node.is_leaf
        assert counted[number] == "0" or node.is_inference
