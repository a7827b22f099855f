"""Work that belongs to a session of another process: it is part of its trace, and arrives whatever happens to it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPMessage
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from support.deaths import COMPLETED, END_REASON, SESSION_ID, Deaths
from support.spans import Spans, attributes, context_of, in_use, poll

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.sessions import carrier
from agentops_otel.sessions.arguments import MAX_ID_LENGTH
from agentops_otel.sessions.state import PROVIDER_SHUTDOWN

TRACE_ID, SPAN_ID = 0xA0A0, 0xB0B0
TRACEPARENT = f"00-{TRACE_ID:032x}-{SPAN_ID:016x}-01"
BAGGAGE = "session.id=s,gen_ai.conversation.id=c+d,user.id=%C3%BC,own=1"
CARRIER = {"traceparent": TRACEPARENT, "baggage": BAGGAGE}
"""As another process sends it."""
IDS = {"session.id": "s", "gen_ai.conversation.id": "c d", "user.id": "ü"}


@pytest.fixture(autouse=True)
def _nothing_is_kept(spans: Spans) -> Iterator[None]:
    yield
    runtime.worker.settle(10)
    assert runtime.registry._over == {}


class Headers:
    """As web frameworks have them: no mapping, any case, more than one value."""

    def items(self) -> Iterator[tuple[str, str]]:
        yield "Host", "localhost"
        yield from ((name.title(), value) for name, value in CARRIER.items())


def parts_of_the_session(spans: Spans) -> list[str]:
    """Names of the spans that are children of the session's root, with its ids."""
    return [
        span.name
        for span in spans.all()
        if span.parent is not None
        and (span.parent.trace_id, span.parent.span_id) == (TRACE_ID, SPAN_ID)
        and attributes(span) == IDS
    ]


class TestBlock:
    def test_makes_spans_part_of_the_session(self, spans: Spans) -> None:
        with ao.join_session(CARRIER):
            with spans.tracer.start_as_current_span("first"), spans.tracer.start_as_current_span("below"):
                pass
            spans.tracer.start_span("second").end()
        assert parts_of_the_session(spans) == ["first", "second"]
        below = spans.by_name("below")
        assert attributes(below) == IDS
        assert below.parent == context_of(spans.by_name("first"))

    def test_is_over_at_its_end(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("before") as before:
            with ao.join_session(CARRIER):
                pass
            assert trace.get_current_span() is before
            assert baggage.get_all() == {}
        spans.tracer.start_span("after").end()
        assert spans.by_name("after").parent is None
        assert attributes(spans.by_name("after")) == attributes(spans.by_name("before")) == {}

    def test_lets_exceptions_through(self, spans: Spans) -> None:
        with pytest.raises(ValueError, match="mine"), ao.join_session(CARRIER):
            raise ValueError("mine")
        assert ao.current_session() is None

    def test_may_be_asynchronous(self, spans: Spans) -> None:
        async def main() -> None:
            async with ao.join_session(CARRIER) as session:
                await asyncio.sleep(0)
                assert ao.current_session() == session
                spans.tracer.start_span("step").end()
            assert ao.current_session() is None

        asyncio.run(main())
        assert parts_of_the_session(spans) == ["step"]

    def test_may_be_nested(self, spans: Spans) -> None:
        other = {"traceparent": f"00-{0xC0C0:032x}-{0xD0D0:016x}-01", "baggage": "session.id=other"}
        with ao.join_session(CARRIER) as outer:
            with ao.join_session(other) as inner:
                assert ao.current_session() == inner
                spans.tracer.start_span("inner").end()
            assert ao.current_session() == outer
            spans.tracer.start_span("outer").end()
        assert attributes(spans.by_name("inner"))["session.id"] == "other"
        assert parts_of_the_session(spans) == ["outer"]

    def test_may_be_entered_again_also_inside_of_itself(self, spans: Spans) -> None:
        joining = ao.join_session(CARRIER)
        for name in ("first", "second"):
            with joining, joining:
                spans.tracer.start_span(name).end()
            assert ao.current_session() is None
        assert parts_of_the_session(spans) == ["first", "second"]

    def test_may_be_of_threads_that_join_at_the_same_time(self, spans: Spans) -> None:
        threads, rounds = 8, 20
        barrier = threading.Barrier(threads)

        def work(number: int) -> None:
            for turn in range(rounds):
                barrier.wait(30)
                with ao.join_session(CARRIER), spans.tracer.start_as_current_span(f"{number}.{turn}"):
                    pass

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        assert len(parts_of_the_session(spans)) == threads * rounds

    def test_may_have_a_record_of_its_own_in_two_threads(self, spans: Spans) -> None:
        registry = runtime.registry
        held: list[trace.Span] = []
        for number in range(2):
            record, _ = carrier.joined(CARRIER)
            assert record is not None
            held.append(spans.tracer.start_span("held", context=Context()))
            record.first_span()[number] = held[number]  # neither thread had told of its span when the other looked
            registry.span_started_late(record, number)
        kept = registry.find(TRACE_ID)
        assert kept is not None
        assert kept.spans == dict(enumerate(held))
        registry.end_everything(PROVIDER_SHUTDOWN)
        registry.forget_if_done(kept)
        assert not any(span.is_recording() for span in held)

    def test_left_in_another_context_says_nothing(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        joining = ao.join_session(CARRIER)
        contextvars.copy_context().run(joining.__enter__)
        joining.__exit__(None, None, None)
        assert ao.current_session() is None
        assert caplog.text == ""

    def test_works_before_there_is_an_sdk(self) -> None:
        with ao.join_session(CARRIER) as session:
            assert session is not None
            assert session.id == "s"
            assert ao.current_session() == session


class TestCarrier:
    @pytest.mark.parametrize(
        "named", [str.lower, str.upper, str.title, str.swapcase], ids=["lower", "upper", "title", "swapped"]
    )
    def test_may_have_names_in_any_case(self, spans: Spans, named: Callable[[str], str]) -> None:
        with ao.join_session({named(name): value for name, value in CARRIER.items()}):
            spans.tracer.start_span("step").end()
        assert parts_of_the_session(spans) == ["step"]

    def test_may_be_headers_of_a_request(self, spans: Spans) -> None:
        message = HTTPMessage()
        for name, value in Headers().items():
            message[name] = value
        for headers in (message, Headers()):
            with ao.join_session(headers):  # type: ignore[arg-type]
                spans.tracer.start_span("step").end()
        assert parts_of_the_session(spans) == ["step", "step"]

    def test_may_have_its_baggage_in_several_headers(self, spans: Spans) -> None:
        message = HTTPMessage()
        message["traceparent"] = TRACEPARENT
        message["Baggage"] = "own=1"
        message["baggage"] = BAGGAGE
        with ao.join_session(message):  # type: ignore[arg-type]
            spans.tracer.start_span("step").end()
        assert parts_of_the_session(spans) == ["step"]

    def test_takes_the_other_baggage_along(self, spans: Spans) -> None:
        token = context.attach(baggage.set_baggage("mine", "2"))
        with ao.join_session(CARRIER):
            assert dict(baggage.get_all()) == {"own": "1", "mine": "2"}
        context.detach(token)

    def test_has_nothing_to_do_with_requests_that_come_in_meanwhile(self, spans: Spans) -> None:
        with ao.join_session(CARRIER):
            request = propagate.extract({"traceparent": f"00-{7:032x}-{8:016x}-01"})
            with spans.tracer.start_as_current_span("server", request), spans.tracer.start_as_current_span("below"):
                assert ao.current_session() is None
        assert attributes(spans.by_name("server")) == attributes(spans.by_name("below")) == {}

    def test_of_no_session_joins_nothing(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("mine") as mine:
            for nothing in ({}, {"traceparent": TRACEPARENT}, {"traceparent": TRACEPARENT, "baggage": "own=1"}):
                with ao.join_session(nothing) as session:
                    assert session is None
                    assert trace.get_current_span() is mine
                    assert baggage.get_all() == {}

    @pytest.mark.parametrize("traceparent", [None, "", "garbage", f"00-{0:032x}-{0:016x}-01", f"ff{TRACEPARENT[2:]}"])
    def test_without_a_trace_gives_the_ids(self, spans: Spans, traceparent: str | None) -> None:
        with ao.join_session({"baggage": BAGGAGE} | ({"traceparent": traceparent} if traceparent else {})) as session:
            assert session is not None
            assert (session.id, session.conversation_id, session.trace_id) == ("s", "c d", "0" * 32)
            for name in ("first", "second"):
                with spans.tracer.start_as_current_span(name), spans.tracer.start_as_current_span(f"below {name}"):
                    current = ao.current_session()
                    assert current is not None
                    assert (current.id, current.conversation_id) == ("s", "c d")
        for span in spans.all():
            assert attributes(span) == IDS
        assert spans.by_name("first").parent is None
        assert context_of(spans.by_name("first")).trace_id != context_of(spans.by_name("second")).trace_id

    def test_without_a_trace_does_not_take_the_trace_that_is_current(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("mine"), ao.join_session({"baggage": BAGGAGE}) as session:
            assert session is not None
            assert session.trace_id == "0" * 32

    def test_of_a_session_that_is_not_sampled_samples_nothing(self) -> None:
        with in_use(Spans(sampler=ParentBased(ALWAYS_ON))) as spans:
            with ao.join_session({**CARRIER, "traceparent": f"{TRACEPARENT[:-2]}00"}) as session:
                assert ao.current_session() == session
                with spans.tracer.start_as_current_span("step") as step:
                    assert context_of(step).trace_id == TRACE_ID
            assert spans.all() == []


class TestHandle:
    def test_tells_what_came_along(self, spans: Spans) -> None:
        with ao.join_session(CARRIER) as session:
            assert session is not None
            assert (session.id, session.conversation_id, session.name) == ("s", "c d", None)
            assert session.trace_id == f"{TRACE_ID:032x}"
            assert not session.is_open
            assert repr(session) == "<Session None s elsewhere>"
            assert session.totals.inference_calls == 0
            assert ao.open_sessions() == []

    def test_is_the_current_session_in_spans_too(self, spans: Spans) -> None:
        with ao.join_session(CARRIER) as session:
            assert ao.current_session() == session
            with spans.tracer.start_as_current_span("step"):
                assert ao.current_session() == session
            assert ao.current_session() == session

    def test_changes_and_ends_nothing(self, spans: Spans) -> None:
        with ao.join_session(CARRIER) as session:
            assert session is not None
            session.set_attribute("k", 1)
            session.add_tags("a")
            session.record_exception(ValueError())
            session.end("error")
            with session:
                pass
            assert ao.end_all_sessions() == 0
            assert ao.current_session() == session
            spans.tracer.start_span("step").end()
        assert parts_of_the_session(spans) == spans.names() == ["step"]

    def test_takes_the_session_on_to_the_next_process(self, spans: Spans) -> None:
        with ao.join_session(CARRIER) as session:
            assert session is not None
            carrier = session.carrier()
        with ao.join_session(carrier):
            spans.tracer.start_span("step").end()
        assert parts_of_the_session(spans) == ["step"]

    def test_takes_a_session_without_a_trace_on_too(self, spans: Spans) -> None:
        with ao.join_session({"baggage": BAGGAGE}) as session:
            assert session is not None
            carrier = session.carrier()
        with ao.join_session(carrier) as again:
            assert again is not None
            assert (again.id, again.conversation_id) == ("s", "c d")

    def test_can_be_attached_in_another_thread(self, spans: Spans) -> None:
        def work() -> None:
            with joined.attach():
                assert ao.current_session() == joined
                spans.tracer.start_span("step").end()

        with ao.join_session(CARRIER) as session:
            assert session is not None
            joined = session
            thread = threading.Thread(target=lambda: contextvars.Context().run(work))
            thread.start()
            thread.join()
        assert parts_of_the_session(spans) == ["step"]


class TestSessionInside:
    def test_is_a_trace_of_its_own_with_a_link(self, spans: Spans) -> None:
        with ao.join_session(CARRIER) as outer:
            with ao.session("inner") as inner:
                assert ao.current_session() is inner
                spans.tracer.start_span("in inner").end()
            assert ao.current_session() == outer
            spans.tracer.start_span("in outer").end()
        root = spans.root()
        assert [(link.context.trace_id, link.context.span_id) for link in root.links] == [(TRACE_ID, SPAN_ID)]
        assert attributes(root)["session.id"] == attributes(spans.by_name("in inner"))["session.id"] == inner.id
        assert not IDS.keys() - {"session.id"} & {*attributes(root), *attributes(spans.by_name("in inner"))}
        assert parts_of_the_session(spans) == ["in outer"]

    def test_does_not_give_away_the_ids_of_the_other_as_its_own(self, spans: Spans) -> None:
        with ao.join_session(CARRIER), ao.session(id="inner") as inner:
            carrier = inner.carrier()
        assert carrier["baggage"] == "session.id=inner,own=1"

    def test_of_a_handle_goes_back_to_the_joined_one(self, spans: Spans) -> None:
        with ao.join_session(CARRIER) as outer:
            inner = ao.start_session()
            inner.end()
            assert ao.current_session() == outer


class TestSameProcess:
    def test_gives_the_session_itself_while_it_is_open(self, spans: Spans) -> None:
        with ao.session("here") as session:
            with spans.tracer.start_as_current_span("request") as request:
                carrier = {"traceparent": f"00-{session.trace_id}-{context_of(request).span_id:016x}-01"}
            with ao.join_session(session.carrier() | carrier) as joined:
                assert joined is ao.current_session() is session
                with spans.tracer.start_as_current_span("served"):
                    assert ao.current_session() is session
        served = spans.by_name("served")
        assert served.parent is not None
        assert served.parent.span_id == context_of(spans.by_name("request")).span_id
        assert attributes(served)["session.id"] == session.id

    def test_counts_for_the_session(self, spans: Spans) -> None:
        with ao.session() as session, ao.join_session(session.carrier()):
            spans.tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
            assert session.totals.inference_calls == 1

    def test_spans_left_open_end_with_the_session(self, spans: Spans) -> None:
        session = ao.start_session()
        with ao.join_session(session.carrier()):
            held = spans.tracer.start_span("held")
        session.end(reason="timeout")
        assert not held.is_recording()
        assert attributes(spans.by_name("held"))[END_REASON] == "timeout"

    def test_is_like_elsewhere_when_the_session_is_over(self, spans: Spans) -> None:
        with ao.session(id="s", conversation_id="c") as session:
            carrier = session.carrier()
        with ao.join_session(carrier) as joined:
            assert joined is not None
            assert joined != session
            assert not joined.is_open
            spans.tracer.start_span("later").end()
        later = spans.by_name("later")
        assert later.parent is not None
        assert later.parent.span_id == context_of(spans.root()).span_id
        assert attributes(later) == {"session.id": "s", "gen_ai.conversation.id": "c"}


class TestLeftOpen:
    def test_and_dropped_arrives_while_the_program_runs(self, spans: Spans) -> None:
        with ao.join_session(CARRIER):
            spans.tracer.start_span("dropped", attributes={"k": 1})
            gc.collect()
        poll(lambda: spans.names() == ["dropped"])
        assert attributes(spans.by_name("dropped")) == {**IDS, "k": 1, END_REASON: "garbage_collected"}

    def test_arrives_when_the_provider_is_shut_down(self, spans: Spans) -> None:
        with ao.join_session(CARRIER):
            held = spans.tracer.start_span("held")
        spans.provider.shutdown()
        assert not held.is_recording()
        assert attributes(spans.by_name("held")) == {**IDS, END_REASON: "provider_shutdown"}

    def test_in_a_request_that_only_brought_baggage_arrives_too(self, spans: Spans) -> None:
        with ao.join_session({"baggage": BAGGAGE}):
            held = spans.tracer.start_span("held")
        spans.provider.shutdown()
        assert not held.is_recording()
        assert attributes(spans.by_name("held")) == {**IDS, END_REASON: "provider_shutdown"}

    def test_may_end_after_the_block(self, spans: Spans) -> None:
        with ao.join_session(CARRIER):
            held = spans.tracer.start_span("held")
        held.end()
        assert parts_of_the_session(spans) == ["held"]


class TestPlainBaggage:
    """A request whose headers somebody else has extracted: no block of ours."""

    def test_makes_its_spans_part_of_the_session(self, spans: Spans) -> None:
        parent = trace.NonRecordingSpan(trace.SpanContext(TRACE_ID, SPAN_ID, is_remote=True))
        around = baggage.set_baggage("session.id", "s", trace.set_span_in_context(parent, Context()))
        with spans.tracer.start_as_current_span("request", context=around):
            with spans.tracer.start_as_current_span("step"):
                session = ao.current_session()
                assert session is not None
                assert session.id == "s"
        assert attributes(spans.by_name("request")) == attributes(spans.by_name("step")) == {"session.id": "s"}

    @pytest.mark.parametrize("wrong", [1, None, "", "x" * (MAX_ID_LENGTH + 1), "line\nbreak", object()])
    def test_that_makes_no_sense_is_ignored(self, spans: Spans, wrong: Any) -> None:
        around = baggage.set_baggage("session.id", wrong, Context())
        spans.tracer.start_span("step", context=around).end()
        assert attributes(spans.by_name("step")) == {}


TEXT = st.one_of(
    st.text(max_size=20), st.text(min_size=MAX_ID_LENGTH - 2, max_size=MAX_ID_LENGTH + 2), st.just(BAGGAGE)
)
ENTRY = st.builds(
    "{}={}".format,
    st.sampled_from([*IDS, "own", ""]),
    st.one_of(
        TEXT, st.sampled_from(["\udcff", "%", "%0A", "%00", "%ff", "+", "a;b=c", "%C3%BC", "x" * 300, "%41" * 300])
    ),
)
VALUE = st.one_of(TEXT, st.just(TRACEPARENT), st.just(TRACEPARENT.upper()), st.lists(ENTRY, max_size=6).map(",".join))
NAME = st.sampled_from(["traceparent", "Traceparent", "TRACEPARENT", "tracestate", "baggage", "BAGGAGE", "other", ""])


@given(carrier=st.dictionaries(st.one_of(NAME, st.text(max_size=5)), VALUE, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_carrier_is_taken_and_no_garbage_is_written(spans: Spans, carrier: Mapping[str, str]) -> None:
    spans.clear()
    with ao.join_session(carrier) as session:
        spans.tracer.start_span("step").end()
        if session is not None:
            session.carrier()
    said = attributes(spans.by_name("step"))
    assert ("session.id" in said) == (session is not None)
    assert said.keys() <= IDS.keys()
    for value in said.values():
        assert 0 < len(value) <= MAX_ID_LENGTH
        assert value.isprintable()


class TestProcesses:
    """The session is in one process, the work in another."""

    @pytest.mark.parametrize("setup", ["configure", "by_hand", "own"])
    def test_work_elsewhere_is_part_of_the_session(self, deaths: Deaths, setup: Any) -> None:
        died = deaths.run("joined", "works", setup=setup)
        assert died.quiet == (0, "")
        assert died.stdout == "0\n"
        root = died.only_session(COMPLETED)
        step = died.span("step")
        assert (step.trace_id, step.parent_id) == (root.trace_id, root.span_id)
        assert {**step.attributes} == {"session.id": "s", "gen_ai.conversation.id": "c", "user.id": "u"}

    @pytest.mark.parametrize(
        ("how", "returncode", "reason", "also_step"),
        [
            ("leaves_open", 0, "process_exit", False),
            ("drops", 0, "garbage_collected", False),
            ("is_terminated", -15, "signal", True),
            ("shuts_down", 0, "provider_shutdown", True),
        ],
    )
    def test_what_is_left_open_arrives(
        self, deaths: Deaths, how: str, returncode: int, reason: str, also_step: bool
    ) -> None:
        died = deaths.run("joined", how)
        assert died.quiet == (0, "")
        assert died.stdout == f"{returncode}\n"
        root = died.session(COMPLETED)
        left, step = died.span("left open"), died.span("step")
        assert left.attributes[END_REASON] == reason
        assert left.attributes[SESSION_ID] == "s"
        assert (left.parent_id, step.parent_id) == (step.span_id, root.span_id)
        assert step.attributes.get(END_REASON) == (reason if also_step else None)

    def test_a_fork_in_the_block_sends_nothing_twice(self, deaths: Deaths) -> None:
        died = deaths.run("joined", "forks")
        assert died.quiet == (0, "")
        assert died.stdout == "0\n"
        root = died.session(COMPLETED)
        assert sorted(span.name for span in died.inside(root)) == ["held", "in the fork", "left open", "step"]
        assert died.span("left open").attributes[END_REASON] == "process_exit"
        assert died.span("in the fork").parent_id == died.span("step").span_id

    def test_a_session_in_the_block_is_one_of_its_own(self, deaths: Deaths) -> None:
        died = deaths.run("joined", "has_a_session")
        assert died.quiet == (0, "")
        root, inner = died.session(COMPLETED), died.session(COMPLETED, name="inner")
        assert [link.span_id for link in inner.links] == [died.span("step").span_id]
        assert died.span("in inner").parent_id == inner.span_id
        assert inner.trace_id != root.trace_id

    def test_an_exception_there_does_not_end_the_session_here(self, deaths: Deaths) -> None:
        died = deaths.run("joined", "raises")
        assert died.returncode == 0
        assert died.stdout == "1\n"
        assert died.has_traceback("ValueError: boom"), died
        died.session(COMPLETED)
        assert died.span("step").status == "ERROR"
