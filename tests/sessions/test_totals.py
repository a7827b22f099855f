"""Totals: what a session consumed, each inference counted once, at its leaf."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import threading
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import StatusCode
from support.spans import Spans, attributes, in_use, poll

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.sessions.totals import Count, ModelCount, Totals
from agentops_otel.sessions.usage import TOKENS

OPERATION = "gen_ai.operation.name"
INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
MODEL = "gen_ai.request.model"
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

    def test_embeddings(self, spans: Spans) -> None:
        said = {OPERATION: "embeddings", INPUT: 10}
        assert count(spans, said, said) == Count(embedding_calls=2, input_tokens=20)

    def test_kinds_of_tokens(self, spans: Spans) -> None:
        said = {
            OPERATION: "chat",
            INPUT: 100,
            OUTPUT: 50,
            "gen_ai.usage.cache_read.input_tokens": 60,
            "gen_ai.usage.cache_creation.input_tokens": 20,
            "gen_ai.usage.reasoning.output_tokens": 30,
        }
        assert count(spans, said) == Count(
            inference_calls=1,
            input_tokens=100,
            output_tokens=50,
            cache_read_input_tokens=60,
            cache_creation_input_tokens=20,
            reasoning_output_tokens=30,
        )

    def test_tool_calls(self, spans: Spans) -> None:
        assert count(spans, {OPERATION: "execute_tool"}) == Count(tool_calls=1)

    def test_agent_calls(self, spans: Spans) -> None:
        assert count(spans, {OPERATION: "invoke_agent"}) == Count(agent_calls=1)

    @pytest.mark.parametrize("operation", ["retrieval", "create_agent", "invoke_workflow", "session", "CHAT", "", 1])
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


class TestOpenInference:
    @pytest.mark.parametrize(
        ("kind", "counted"),
        [
            ("LLM", Count(inference_calls=1)),
            ("EMBEDDING", Count(embedding_calls=1)),
            ("TOOL", Count(tool_calls=1)),
            ("AGENT", Count(agent_calls=1)),
            ("CHAIN", Count()),
            (1, Count()),
        ],
    )
    def test_kinds(self, spans: Spans, kind: Any, counted: Count) -> None:
        assert count(spans, {"openinference.span.kind": kind}) == counted


class TestModels:
    def test_are_counted_each(self, spans: Spans) -> None:
        counted = count(
            spans,
            {OPERATION: "chat", MODEL: "a", INPUT: 10, OUTPUT: 1},
            {OPERATION: "chat", MODEL: "b", INPUT: 20, OUTPUT: 2},
            {OPERATION: "text_completion", MODEL: "a", INPUT: 30, OUTPUT: 3},
            {OPERATION: "embeddings", MODEL: "c", INPUT: 40},
        )
        assert counted.models == {
            "a": ModelCount(calls=2, input_tokens=40, output_tokens=4),
            "b": ModelCount(calls=1, input_tokens=20, output_tokens=2),
            "c": ModelCount(calls=1, input_tokens=40),
        }
        assert (counted.inference_calls, counted.embedding_calls, counted.input_tokens) == (3, 1, 100)

    def test_that_nobody_names_are_none(self, spans: Spans) -> None:
        assert count(spans, {OPERATION: "chat", INPUT: 10}).models == {}

    def test_stand_on_the_root_in_arrays_of_one_length(self, spans: Spans) -> None:
        count(spans, {OPERATION: "chat", MODEL: "a", INPUT: 10}, {OPERATION: "chat", MODEL: "b", OUTPUT: 2})
        root = attributes(spans.root())
        assert root["agentops.session.models"] == ("a", "b")
        assert root["agentops.session.models.calls"] == (1, 1)
        assert root["agentops.session.models.usage.input_tokens"] == (10, 0)
        assert root["agentops.session.models.usage.output_tokens"] == (0, 2)
        assert "agentops.session.models.cost" not in root

    def test_beyond_the_first_32_are_counted_together(self, spans: Spans) -> None:
        counted = count(spans, *({OPERATION: "chat", MODEL: f"m{number}", INPUT: 1} for number in range(100)))
        assert len(counted.models) == 33
        assert counted.models["_OTHER"] == ModelCount(calls=68, input_tokens=68)
        assert sum(model.calls for model in counted.models.values()) == counted.inference_calls == 100

    def test_are_those_that_answered_not_those_that_were_asked(self, spans: Spans) -> None:
        said = {OPERATION: "chat", MODEL: "asked", "gen_ai.response.model": "answered"}
        assert count(spans, said).models.keys() == {"answered"}


class TestTokens:
    @pytest.mark.parametrize("value", [-1, math.nan, math.inf, 2**63, "7", True, (7,)], ids=repr)
    def test_that_are_no_number_of_tokens_are_ignored(self, spans: Spans, value: Any) -> None:
        counted = count(spans, {OPERATION: "chat", INPUT: value, OUTPUT: 5})
        assert counted == Count(inference_calls=1, output_tokens=5)


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


class TestAtOnce:
    """Spans end, and totals are read, in many threads, in finalizers and in signal handlers."""

    def test_nothing_is_lost_or_counted_twice(self, spans: Spans) -> None:
        each, threads = 200, 8
        said: dict[str, Any] = {
            OPERATION: "chat",
            MODEL: "gpt-4o-mini",
            "gen_ai.provider.name": "openai",
            INPUT: 1,
            OUTPUT: 1,
        }
        readings: list[Count] = []
        with ao.session() as session:

            def work() -> None:
                with session.attach():
                    for _ in range(each):
                        spans.tracer.start_span("chat", attributes=said).end()
                        readings.append(session.totals)

            workers = [threading.Thread(target=work) for _ in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        calls = each * threads
        counted = session.totals
        assert (counted.inference_calls, counted.input_tokens, counted.output_tokens) == (calls, calls, calls)
        assert counted.models["gpt-4o-mini"].calls == calls
        for reading in readings:
            assert reading.inference_calls == reading.input_tokens == reading.models["gpt-4o-mini"].calls

    def test_the_first_spans_of_a_session_share_its_totals(self, spans: Spans) -> None:
        for _ in range(100):
            with ao.session() as session:
                together = threading.Barrier(4)

                def work() -> None:
                    with session.attach():
                        span = spans.tracer.start_span("tool", attributes={OPERATION: "execute_tool"})
                        together.wait()  # noqa: B023
                        span.end()

                workers = [threading.Thread(target=work) for _ in range(4)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
            assert session.totals.tool_calls == 4

    def test_who_interrupts_a_reading_reads_too(self, spans: Spans) -> None:
        """A finalizer that the garbage collector runs while this thread counts, and has the lock."""
        inner: list[Count] = []

        class Reader(Totals):
            __slots__ = ()

            def _take_in(self) -> None:
                super()._take_in()
                inner.append(self.count())

        totals = Reader()
        span = spans.tracer.start_span("span", attributes={OPERATION: "chat"})
        span.end()
        assert isinstance(span, ReadableSpan)
        totals.add(span, attributes(span), {})
        assert totals.count() == Count(inference_calls=1)
        assert inner == [Count(inference_calls=1)]

    def test_a_child_reads_although_a_thread_was_reading_when_it_was_forked(self, spans: Spans) -> None:
        class Slow(Totals):
            __slots__ = ()

            def _take_in(self) -> None:
                reading.set()
                go_on.wait(60)

        reading, go_on = threading.Event(), threading.Event()
        slow = threading.Thread(target=Slow().count)
        slow.start()
        assert reading.wait(60)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking among threads
            pid = os.fork()
        if pid == 0:
            started = time.monotonic()
            Totals().count()
            os._exit(0 if time.monotonic() - started < 1 else 1)
        _, status = os.waitpid(pid, 0)
        go_on.set()
        slow.join()
        assert os.waitstatus_to_exitcode(status) == 0


# -- many reports of one call --

ORDERS = list(itertools.permutations(range(3)))


class TestNestedReports:
    """Spans in the order of their starts, each below the one before, and which of them end when."""

    def nested(self, spans: Spans, *said: dict[str, Any], order: Iterable[int] | None = None) -> Count:
        started: list[trace.Span] = []
        with ao.session() as session:
            around = None
            for what in said:
                started.append(spans.tracer.start_span("span", context=around, attributes=what))
                around = trace.set_span_in_context(started[-1])
            for number in order if order is not None else reversed(range(len(started))):
                started[number].end()
        return session.totals

    @pytest.mark.parametrize("order", ORDERS, ids=str)
    def test_are_one_call_in_whatever_order_they_end(self, spans: Spans, order: tuple[int, ...]) -> None:
        said = {OPERATION: "chat", INPUT: 10, OUTPUT: 5}
        kind = {"openinference.span.kind": "LLM", "llm.token_count.prompt": 10, "llm.token_count.completion": 5}
        counted = self.nested(spans, said, said, kind, order=order)
        assert counted == Count(inference_calls=1, input_tokens=10, output_tokens=5)

    @pytest.mark.parametrize("order", ORDERS, ids=str)
    def test_have_other_spans_between_them(self, spans: Spans, order: tuple[int, ...]) -> None:
        said = {OPERATION: "chat", INPUT: 10}
        if order[0] == 1:  # before it nothing in this session has anything to count
            order = order[1:] + order[:1]
        assert self.nested(spans, said, {}, said, order=order) == Count(inference_calls=1, input_tokens=10)

    @pytest.mark.parametrize("order", [(1, 0), (0, 1)], ids=str)
    @pytest.mark.parametrize(
        ("outer", "inner", "counted"),
        [
            ({INPUT: 10, OUTPUT: 5}, {}, Count(inference_calls=1, input_tokens=10, output_tokens=5)),
            ({INPUT: 10, OUTPUT: 5}, {INPUT: 11}, Count(inference_calls=1, input_tokens=11, output_tokens=5)),
            ({INPUT: 10}, {INPUT: 0, OUTPUT: 5}, Count(inference_calls=1, output_tokens=5)),
        ],
        ids=["nothing", "some", "zero"],
    )
    def test_say_what_the_inner_one_leaves_unsaid(
        self,
        spans: Spans,
        outer: dict[str, int],
        inner: dict[str, int],
        counted: Count,
        order: tuple[int, ...],
    ) -> None:
        chat = {OPERATION: "chat"}
        assert self.nested(spans, chat | outer, chat | inner, order=order) == counted

    @pytest.mark.parametrize("order", [(1, 0), (0, 1)], ids=str)
    def test_name_the_model_if_the_inner_one_does_not(self, spans: Spans, order: tuple[int, ...]) -> None:
        outer, inner = {OPERATION: "chat", MODEL: "m", INPUT: 10}, {OPERATION: "chat", INPUT: 10}
        counted = self.nested(spans, outer, inner, order=order)
        assert counted.models == {"m": ModelCount(calls=1, input_tokens=10, cost=None)}

    @pytest.mark.parametrize("order", [(1, 0), (0, 1)], ids=str)
    def test_do_not_rename_the_model(self, spans: Spans, order: tuple[int, ...]) -> None:
        outer, inner = {OPERATION: "chat", MODEL: "deployment"}, {OPERATION: "chat", MODEL: "m"}
        assert self.nested(spans, outer, inner, order=order).models.keys() == {"m"}

    @pytest.mark.parametrize("order", [(1, 2, 0), (0, 1, 2), (1, 0, 2)], ids=str)
    def test_of_retries_are_calls_each(self, spans: Spans, order: tuple[int, ...]) -> None:
        with ao.session() as session:
            outer = spans.tracer.start_span("span", attributes={OPERATION: "chat", INPUT: 10, OUTPUT: 5})
            around = trace.set_span_in_context(outer)
            failed = spans.tracer.start_span("span", around, attributes={OPERATION: "chat"})
            second = spans.tracer.start_span("span", around, attributes={OPERATION: "chat", INPUT: 10})
            for number in order:
                (outer, failed, second)[number].end()
        assert session.totals == Count(inference_calls=2, input_tokens=10, output_tokens=5)

    @pytest.mark.parametrize("between", ["execute_tool", "invoke_agent", "invoke_workflow"])
    @pytest.mark.parametrize("order", ORDERS, ids=str)
    def test_end_at_work_of_its_own(self, spans: Spans, between: str, order: tuple[int, ...]) -> None:
        said = {OPERATION: "chat", INPUT: 10}
        counted = self.nested(spans, said, {OPERATION: between}, said, order=order)
        assert (counted.inference_calls, counted.input_tokens) == (2, 20)

    @pytest.mark.parametrize("order", [(1, 0), (0, 1)], ids=str)
    def test_are_of_one_kind(self, spans: Spans, order: tuple[int, ...]) -> None:
        chat, embedding = {OPERATION: "chat", INPUT: 10}, {OPERATION: "embeddings", INPUT: 3}
        counted = self.nested(spans, chat, embedding, order=order)
        assert counted == Count(inference_calls=1, embedding_calls=1, input_tokens=13)

    @pytest.mark.parametrize("order", [(1, 0), (0, 1)], ids=str)
    def test_of_an_embedding_are_one_call(self, spans: Spans, order: tuple[int, ...]) -> None:
        said = {OPERATION: "embeddings", INPUT: 3}
        assert self.nested(spans, said, said, order=order) == Count(embedding_calls=1, input_tokens=3)

    def test_that_say_what_they_are_when_they_end_are_one_call(self, spans: Spans) -> None:
        with ao.session() as session:
            with spans.tracer.start_as_current_span("mine") as mine:
                spans.tracer.start_span("chat", attributes={OPERATION: "chat", INPUT: 10}).end()
                mine.set_attributes({OPERATION: "chat", INPUT: 10})
        assert session.totals == Count(inference_calls=1, input_tokens=10)

    def test_below_a_span_that_was_left_to_the_leak_guard_are_one_call(self, spans: Spans) -> None:
        with ao.session() as session:
            outer = spans.tracer.start_span("outer", attributes={OPERATION: "chat", INPUT: 10})
            inner = spans.tracer.start_span(
                "inner", trace.set_span_in_context(outer), attributes={OPERATION: "chat", INPUT: 10}
            )
            runtime.registry.attend()  # from now on both are watched
            del outer
            runtime.worker.settle(10)
            inner.end()
        assert session.totals == Count(inference_calls=1, input_tokens=10)

    def test_of_a_hundred_calls_at_once_are_a_hundred_calls(self, spans: Spans) -> None:
        said: dict[str, Any] = {OPERATION: "chat", INPUT: 1}
        with ao.session() as session:
            outer = [spans.tracer.start_span("outer", attributes=said) for _ in range(100)]
            inner = [spans.tracer.start_span("inner", trace.set_span_in_context(o), attributes=said) for o in outer]
            for span in (*inner, *outer):
                span.end()
        assert session.totals == Count(inference_calls=100, input_tokens=100)

    def test_leave_nothing_behind_in_a_long_session(self, spans: Spans) -> None:
        said: dict[str, Any] = {OPERATION: "chat", MODEL: "m", INPUT: 1}

        def calls(number: int) -> None:
            for _ in range(number):
                with (
                    spans.tracer.start_as_current_span("step"),
                    spans.tracer.start_as_current_span("o", None, attributes=said),
                ):
                    spans.tracer.start_span("i", attributes=said).end()
            session.totals  # noqa: B018 - counts what is queued
            spans.exporter.clear()

        with ao.session() as session, spans.tracer.start_as_current_span("run"):
            calls(500)
            tracemalloc.start()
            calls(500)
            grown = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
        assert session.totals.inference_calls == 1000
        assert grown < 200 * 500  # less than one small object a call: the interpreter keeps some tuples for later


@dataclass
class Node:
    """A span of a session; each number of tokens tells which spans were counted."""

    parent: Node | None
    operation: str | None
    tokens: dict[str, int]
    children: list[Node] = field(default_factory=list)

    def reports_below(self, kind: str | None) -> Iterator[Node]:
        """The reports of calls of a kind below it, down to where work of its own begins."""
        for child in self.children:
            if child.operation == kind:
                yield child
            if child.operation not in ("execute_tool", "invoke_agent"):
                yield from child.reports_below(kind)


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """The spans of a session in the order of their starts; the first is a tool's, so that it has totals at once."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(0, 8))):
        parent = draw(st.sampled_from([None, *nodes]))
        operation = draw(st.sampled_from(["chat", "chat", "embeddings", "execute_tool", "invoke_agent", None]))
        says = draw(st.sampled_from([(INPUT, OUTPUT), (INPUT, OUTPUT), (INPUT,), (OUTPUT,), ()]))
        node = Node(parent, operation, dict.fromkeys(says, 10**number))
        if parent is not None:
            parent.children.append(node)
        nodes.append(node)
    return nodes


def play(spans: Spans, nodes: list[Node], order: Iterable[Node]) -> Count:
    """Starts the spans, ends them in this order."""
    started: dict[int, trace.Span] = {}
    with ao.session() as session:
        spans.tracer.start_span("first", attributes={OPERATION: "execute_tool"}).end()
        for node in nodes:
            said: dict[str, Any] = node.tokens | ({OPERATION: node.operation} if node.operation else {})
            parent = None if node.parent is None else trace.set_span_in_context(started[id(node.parent)])
            started[id(node)] = spans.tracer.start_span("span", context=parent, attributes=said)
        record: Any = trace.get_current_span()
        for node in order:
            started[id(node)].end()
            assert_valid(session.totals, record.totals.attributes())
    spans.clear()
    return session.totals


def assert_valid(counted: Count, shown: dict[str, Any]) -> None:
    """Nothing is below zero, and all can be exported."""
    assert all(value >= 0 for value in dataclasses.asdict(counted).values() if isinstance(value, int))
    for value in shown.values():
        assert all(
            type(item) is int and 0 <= item < 2**63 for item in (value if isinstance(value, tuple) else (value,))
        )


def expected(nodes: list[Node]) -> Count:
    """Each innermost report is a call; each report is worth what none below it says."""
    sums: Counter[str] = Counter(execute_tool=1)
    for node in nodes:
        below = list(node.reports_below(node.operation))
        if node.operation in ("chat", "embeddings"):
            sums[node.operation] += not below
            for name, number in node.tokens.items():
                sums[name] += number if not any(name in other.tokens for other in below) else 0
        elif node.operation is not None:
            sums[node.operation] += 1
    return Count(
        inference_calls=sums["chat"],
        embedding_calls=sums["embeddings"],
        tool_calls=sums["execute_tool"],
        agent_calls=sums["invoke_agent"],
        input_tokens=sums[INPUT],
        output_tokens=sums[OUTPUT],
    )


@given(data=st.data(), nodes=trees())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_each_call_counts_once_in_whatever_order_spans_end(
    spans: Spans, data: st.DataObject, nodes: list[Node]
) -> None:
    order = data.draw(st.permutations(range(len(nodes))))
    assert play(spans, nodes, [nodes[number] for number in order]) == expected(nodes)


SAYINGS = st.dictionaries(
    st.sampled_from([*itertools.chain(*TOKENS.values()), MODEL, "gen_ai.response.model", "gen_ai.provider.name"]),
    st.one_of(
        st.integers(-1, 2**64), st.floats(), st.booleans(), st.text(max_size=3), st.sampled_from(["openai", "gpt-4o"])
    ),
)


@given(st.lists(st.tuples(st.sampled_from(["chat", "embeddings"]), SAYINGS), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_spans_say_totals_are_attributes(spans: Spans, said: list[tuple[str, dict[str, Any]]]) -> None:
    count(spans, *({**saying, OPERATION: operation} for operation, saying in said))
    shown = {name: value for name, value in attributes(spans.root()).items() if name.startswith(TOTALS)}
    spans.clear()
    for name, value in shown.items():
        values = value if isinstance(value, tuple) else (value,)
        [kind] = {type(item) for item in values} or {int}
        if kind is str:
            assert all(item.encode() for item in values)
        else:
            assert kind is (float if name.endswith("cost") else int)
            assert all(0 <= item < 2**63 for item in values)
    assert len({len(value) for value in shown.values() if isinstance(value, tuple) and value}) <= 1
