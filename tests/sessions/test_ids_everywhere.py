"""The ids of a session: on every span of it, given, brought along or learned on the way."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.deaths import COMPLETED, Deaths
from support.other_signals import Logs, said_by
from support.spans import Spans, attributes, in_use

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.sessions.arguments import MAX_ID_LENGTH

CONVERSATION = "gen_ai.conversation.id"
IDS = {"session.id": "s", CONVERSATION: "c", "user.id": "u"}
GARBAGE: list[Any] = ["", "x" * (MAX_ID_LENGTH + 1), "line\nbreak", "nul\0", "\x7f", 1, True, 1.5, ("a", "b")]


def ids_on(spans: Spans, name: str) -> dict[str, object]:
    """Those of the one span of this name."""
    return {key: value for key, value in attributes(spans.by_name(name)).items() if key in IDS}


def step_within(limits: SpanLimits, **arguments: Any) -> ReadableSpan:
    """A span of a session where attributes are limited."""
    exporter = InMemorySpanExporter()
    spans = Spans()
    spans.provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
    spans.provider.add_span_processor(SimpleSpanProcessor(exporter))
    with in_use(spans), ao.session(id="session", conversation_id="conversation", user_id="u"):
        spans.provider.get_tracer("tests").start_span("step", **arguments).end()
    return exporter.get_finished_spans()[0]


class TestGiven:
    def test_are_on_the_root_and_on_every_span_of_any_instrumentation(self, spans: Spans) -> None:
        others = [spans.provider.get_tracer(name) for name in ("http", "db", "llm")]
        with ao.session(id="s", conversation_id="c", user_id="u"):
            for number, tracer in enumerate(others):
                with tracer.start_as_current_span(f"{number}"), tracer.start_as_current_span(f"below {number}"):
                    pass
        for name in ("session", "0", "1", "2", "below 0", "below 1", "below 2"):
            assert ids_on(spans, name) == IDS

    def test_are_not_invented(self, spans: Spans) -> None:
        with ao.session(id="s"):
            spans.tracer.start_span("step").end()
        assert ids_on(spans, "session") == ids_on(spans, "step") == {"session.id": "s"}

    @pytest.mark.parametrize(
        "own", [{"session.id": "own"}, {CONVERSATION: "own"}, {"user.id": "own"}, {**IDS, "user.id": "own"}]
    )
    def test_do_not_replace_what_a_span_brings(self, spans: Spans, own: dict[str, str]) -> None:
        with ao.session(id="s", conversation_id="c", user_id="u") as session:
            spans.tracer.start_span("step", attributes=own).end()
            spans.tracer.start_span("next").end()
            assert session.conversation_id == "c"
        assert ids_on(spans, "step") == {**IDS, **own}
        assert ids_on(spans, "next") == ids_on(spans, "session") == IDS

    def test_may_stand_among_the_attributes(self, spans: Spans) -> None:
        with ao.session(id="s", attributes={CONVERSATION: "c", "user.id": "u"}) as session:
            assert session.conversation_id == "c"
            spans.tracer.start_span("step").end()
        assert ids_on(spans, "session") == ids_on(spans, "step") == IDS

    def test_by_their_arguments_win_over_attributes(self, spans: Spans) -> None:
        with ao.session(id="s", conversation_id="c", user_id="u", attributes=dict.fromkeys(IDS, "other")):
            spans.tracer.start_span("step").end()
        assert ids_on(spans, "session") == ids_on(spans, "step") == IDS

    def test_may_be_said_later_by_the_handle(self, spans: Spans) -> None:
        with ao.session(id="s") as session:
            spans.tracer.start_span("before").end()
            session.set_attribute("user.id", "u")
            session.set_attributes({CONVERSATION: "c", "k": 1})
            assert session.conversation_id == "c"
            spans.tracer.start_span("after").end()
        assert ids_on(spans, "before") == {"session.id": "s"}
        assert ids_on(spans, "session") == ids_on(spans, "after") == IDS

    def test_may_be_said_by_whoever_has_the_current_span(self, spans: Spans) -> None:
        with ao.session(id="s") as session:
            trace.get_current_span().set_attribute(CONVERSATION, "c")
            trace.get_current_span().set_attribute("user.id", "u")
            trace.get_current_span().set_attribute(CONVERSATION, "another")
            assert session.conversation_id == "c"
            spans.tracer.start_span("after").end()
        assert ids_on(spans, "session") == ids_on(spans, "after") == IDS

    @pytest.mark.parametrize("limit", [1, 2, 3, 5])
    def test_are_kept_within_the_limits_that_the_user_set(self, limit: int) -> None:
        step = step_within(SpanLimits(max_span_attributes=limit), attributes={"a": 1, "b": 2})
        assert len(attributes(step)) == limit

    def test_are_cut_as_the_user_wants_values_cut(self) -> None:
        step = step_within(SpanLimits(max_span_attribute_length=4))
        assert attributes(step) == {"session.id": "sess", CONVERSATION: "conv", "user.id": "u"}


class TestLearned:
    @pytest.mark.parametrize("when", ["at the start", "later"])
    def test_conversation_is_on_all_that_comes_after(self, spans: Spans, when: str) -> None:
        with Logs().in_use() as logs, ao.session(id="s") as session:
            spans.tracer.start_span("before").end()
            if when == "at the start":
                chat = spans.tracer.start_span("chat", attributes={CONVERSATION: "c"})
                assert session.conversation_id == "c"
            else:
                chat = spans.tracer.start_span("chat")
                chat.set_attribute(CONVERSATION, "c")
                assert session.conversation_id is None
            chat.end()
            assert session.conversation_id == "c"
            assert "gen_ai.conversation.id=c" in session.carrier()["baggage"]
            spans.tracer.start_span("after").end()
            logs.emit("after")
        known = {"session.id": "s", CONVERSATION: "c"}
        assert ids_on(spans, "before") == {"session.id": "s"}
        for name in ("chat", "after", "session"):
            assert ids_on(spans, name) == known
        assert dict(said_by(logs.said("after"))) == known
        assert said_by(logs.event("session.end"))[CONVERSATION] == "c"

    def test_conversation_is_on_the_root_while_that_is_open(self, spans: Spans) -> None:
        with ao.session() as session:
            root: Any = runtime.registry.open_records()[0].span
            spans.tracer.start_span("chat", attributes={CONVERSATION: "c"}).end()
            runtime.registry.attend()
            assert root.attributes[CONVERSATION] == "c"
            assert session.is_open

    def test_conversation_is_the_first_one(self, spans: Spans) -> None:
        with ao.session() as session:
            spans.tracer.start_span("first", attributes={CONVERSATION: "first"}).end()
            spans.tracer.start_span("second", attributes={CONVERSATION: "second"}).end()
            assert session.conversation_id == "first"
        assert ids_on(spans, "second")[CONVERSATION] == "second"
        assert ids_on(spans, "session")[CONVERSATION] == "first"

    def test_conversation_of_a_span_wins_for_that_span_alone(self, spans: Spans) -> None:
        with ao.session(conversation_id="given") as session:
            chat = spans.tracer.start_span("chat")
            chat.set_attribute(CONVERSATION, "own")
            chat.end()
            spans.tracer.start_span("after").end()
            assert session.conversation_id == "given"
        assert ids_on(spans, "chat")[CONVERSATION] == "own"
        assert ids_on(spans, "after")[CONVERSATION] == ids_on(spans, "session")[CONVERSATION] == "given"

    def test_conversation_that_the_handle_says_is_not_replaced(self, spans: Spans) -> None:
        with ao.session() as session:
            session.set_attribute(CONVERSATION, "said")
            spans.tracer.start_span("chat", attributes={CONVERSATION: "own"}).end()
        assert ids_on(spans, "session")[CONVERSATION] == "said"

    @pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
    @pytest.mark.parametrize("when", ["at the start", "later"])
    def test_conversation_is_no_garbage(self, spans: Spans, garbage: Any, when: str) -> None:
        with ao.session(id="s") as session:
            chat = spans.tracer.start_span("chat", attributes={CONVERSATION: garbage} if when == "at the start" else {})
            chat.set_attribute(CONVERSATION, garbage)
            chat.end()
            spans.tracer.start_span("after").end()
            assert session.conversation_id is None
            spans.tracer.start_span("sense", attributes={CONVERSATION: "c"}).end()
            assert session.conversation_id == "c"
        assert ids_on(spans, "after") == {"session.id": "s"}
        assert ids_on(spans, "session") == {"session.id": "s", CONVERSATION: "c"}

    def test_conversation_of_a_span_that_outlives_the_session_is_known_afterwards(self, spans: Spans) -> None:
        with ao.session() as session:
            chat = spans.tracer.start_span("chat")
        chat.set_attribute(CONVERSATION, "c")
        chat.end()
        assert session.conversation_id == "c"
        assert "gen_ai.conversation.id=c" in session.carrier()["baggage"]

    def test_user_is_not(self, spans: Spans) -> None:
        with ao.session(id="s"):
            spans.tracer.start_span("other user", attributes={"user.id": "somebody else"}).end()
            spans.tracer.start_span("after").end()
        assert ids_on(spans, "after") == ids_on(spans, "session") == {"session.id": "s"}

    def test_of_one_session_is_nothing_to_another(self, spans: Spans) -> None:
        scope = ao.session(user_id="u")
        with scope as first:
            spans.tracer.start_span("chat", attributes={CONVERSATION: "c"}).end()
        with scope as second:
            assert (first.conversation_id, second.conversation_id) == ("c", None)

    def test_by_many_threads_is_one(self, spans: Spans) -> None:
        with ao.session() as session:
            barrier = threading.Barrier(8)

            def work(number: int) -> None:
                with session.attach():
                    barrier.wait(10)
                    spans.tracer.start_span("chat", attributes={CONVERSATION: f"{number}"}).end()

            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert session.conversation_id in [f"{number}" for number in range(8)]
        assert ids_on(spans, "session")[CONVERSATION] == session.conversation_id


def test_a_conversation_is_learned_from_a_span_that_is_finalized_while_locks_are_held(deaths: Deaths) -> None:
    died = deaths.run("learned_in_a_finalizer", timeout=15)
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    assert root.attributes[CONVERSATION] == "c"
    assert died.span("after").attributes[CONVERSATION] == "c"
    assert died.event("session.end", root).attributes[CONVERSATION] == "c"
