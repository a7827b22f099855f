"""Every session of the process: which are open, who ends them, and what happens to those that nobody ends."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from support.spans import Spans, attributes, ending, in_use, poll

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.testing import CapturedSessions, SessionClock, assert_session


class TestOpenSessions:
    def test_are_listed_oldest_first(self, spans: Spans) -> None:
        started = [ao.start_session(f"{number}") for number in range(5)]
        assert ao.open_sessions() == started
        started[2].end()
        assert ao.open_sessions() == [*started[:2], *started[3:]]
        assert ao.end_all_sessions() == 4
        assert ao.open_sessions() == []

    def test_of_every_thread_are_listed(self, spans: Spans) -> None:
        with ThreadPoolExecutor(4) as pool:
            started = list(pool.map(lambda number: ao.start_session(f"{number}"), range(20)))
        assert set(ao.open_sessions()) == set(started)
        ao.end_all_sessions()

    def test_the_list_is_a_copy(self, spans: Spans) -> None:
        with ao.session():
            ao.open_sessions().clear()
            assert len(ao.open_sessions()) == 1


class TestEndAllSessions:
    def test_ends_those_of_other_threads_and_contexts_too(self, spans: Spans) -> None:
        with ThreadPoolExecutor(4) as pool:
            started = list(pool.map(lambda number: ao.start_session(f"{number}"), range(20)))
        with ao.session():
            assert ao.end_all_sessions("error", "timeout") == 21
        assert {ending(root) for root in spans.roots()} == {("error", "timeout", "ERROR")}
        assert len(spans.roots()) == 21
        assert not any(session.is_open for session in started)

    def test_of_nothing_is_nothing(self, spans: Spans) -> None:
        assert ao.end_all_sessions() == 0

    def test_at_the_same_time_counts_each_session_once(self, spans: Spans) -> None:
        started = [ao.start_session() for _ in range(200)]
        barrier = threading.Barrier(4)

        def end(_: int) -> int:
            barrier.wait(10)
            return ao.end_all_sessions()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(end, range(4))) == len(started)
        assert len(spans.roots()) == 200

    def test_makes_current_here_what_was_before(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("request"):
            session = ao.start_session()
            ao.end_all_sessions()
            assert not session.is_open
            spans.tracer.start_span("later").end()
        later, request = spans.by_name("later"), spans.by_name("request")
        assert later.parent == request.context

    def test_leaves_no_session_current_here(self, spans: Spans) -> None:
        session = ao.start_session()
        ao.end_all_sessions()
        assert not session.is_open
        assert ao.current_session() is None
        spans.tracer.start_span("later").end()
        assert spans.by_name("later").parent is None

    def test_as_completed_leaves_spans_that_somebody_holds(self, spans: Spans) -> None:
        session = ao.start_session()
        child = spans.tracer.start_span("child")
        ao.end_all_sessions()
        assert not session.is_open
        assert child.is_recording()
        child.end()
        assert "agentops.session.end_reason" not in attributes(spans.by_name("child"))


class TestLeak:
    """What nobody holds any longer ends as unknown/garbage_collected, at the time when it was let go."""

    @pytest.fixture(autouse=True)
    def _warned(self) -> Iterator[None]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            assert warning.category is ResourceWarning

    def test_dropped_handle(self, spans: Spans) -> None:
        ao.start_session("dropped")
        gc.collect()
        assert ending(spans.root()) == ("unknown", "garbage_collected", "UNSET")

    def test_handle_in_a_cycle(self, spans: Spans) -> None:
        class Agent:
            def __init__(self) -> None:
                self.me = self
                self.session = ao.start_session("cyclic")

        Agent()
        gc.collect()
        assert ending(spans.root()) == ("unknown", "garbage_collected", "UNSET")

    def test_child_in_a_cycle_arrives_with_all_it_knows(self, spans: Spans) -> None:
        class Step:
            def __init__(self) -> None:
                self.me = self
                self.span = spans.tracer.start_span("step", attributes={"early": 1})

        with ao.session():
            step = Step()
            step.span.set_attribute("late", 2)
            runtime.registry.attend()
            del step
            gc.collect()
            span = spans.by_name("step")
        assert (
            attributes(span).items()
            >= {"early": 1, "late": 2, "agentops.session.end_reason": "garbage_collected"}.items()
        )

    def test_handle_of_a_thread_that_died(self, spans: Spans) -> None:
        def work() -> None:
            session = ao.start_session("of a thread")
            assert session.is_open

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        gc.collect()
        assert ending(spans.root()) == ("unknown", "garbage_collected", "UNSET")

    def test_handle_in_a_frame_of_a_traceback_lives_as_long_as_it(self, spans: Spans) -> None:
        def fail() -> None:
            session = ao.start_session()
            raise ValueError(session.id)

        with pytest.raises(ValueError) as caught:
            fail()
        gc.collect()
        assert spans.roots() == []
        assert len(ao.open_sessions()) == 1
        del caught
        gc.collect()
        assert ending(spans.root()) == ("unknown", "garbage_collected", "UNSET")

    def test_a_kept_context_does_not_keep_the_session(self, spans: Spans) -> None:
        session = ao.start_session()
        kept = context.get_current()
        del session
        gc.collect()
        assert ending(spans.root()) == ("unknown", "garbage_collected", "UNSET")
        assert kept is not None

    def test_a_current_child_does_not_keep_the_session_and_ends_with_it(self, spans: Spans) -> None:
        session = ao.start_session()
        with spans.tracer.start_as_current_span("child"):
            del session
            gc.collect()
            assert spans.names() == ["child", "session"]
        assert attributes(spans.by_name("child"))["agentops.session.end_reason"] == "garbage_collected"

    def test_ends_at_the_time_it_was_let_go(self, spans: Spans) -> None:
        def work() -> None:
            ao.start_session("dropped")

        work()
        gc.collect()
        after = spans.tracer.start_span("after", context=context.Context())
        after.end()
        root = spans.root()
        assert root.start_time is not None
        assert root.end_time is not None
        assert root.start_time <= root.end_time <= (spans.by_name("after").start_time or 0)

    def test_warns_with_the_place_where_it_was_started(self, spans: Spans) -> None:
        def drop() -> None:
            ao.start_session("dropped")
            gc.collect()
            spans.all()

        with pytest.warns(ResourceWarning, match="session 'dropped' was never ended") as caught:
            drop()
        [warning] = caught
        assert (warning.filename, warning.lineno) == (__file__, drop.__code__.co_firstlineno + 1)

    def test_a_session_that_ended_warns_of_nothing(self, spans: Spans) -> None:
        with warnings.catch_warnings(record=True) as caught:
            with ao.session():
                pass
            ao.start_session().end()
            gc.collect()
            spans.all()
        assert caught == []

    def test_dropped_child_arrives_with_the_reason_and_the_session_goes_on(self, spans: Spans) -> None:
        with ao.session() as session:
            spans.tracer.start_span("dropped", attributes={"k": 1})
            gc.collect()
            poll(lambda: spans.names() == ["dropped"])
            assert session.is_open
        said = attributes(spans.by_name("dropped"))
        assert (said["k"], said["agentops.session.end_reason"]) == (1, "garbage_collected")
        assert ending(spans.root()) == ("success", "completed", "UNSET")

    def test_dropped_child_of_an_ended_session_arrives_too(self, spans: Spans) -> None:
        with ao.session():
            child = spans.tracer.start_span("dropped")
        assert spans.names() == ["session"]
        del child
        gc.collect()
        poll(lambda: spans.names() == ["session", "dropped"])

    def test_child_that_is_held_is_not_ended_while_its_session_is_open(self, spans: Spans) -> None:
        with ao.session():
            held = spans.tracer.start_span("held")
            spans.tracer.start_span("dropped")
            poll(lambda: spans.names() == ["dropped"])  # so the guard has looked
            assert held.is_recording()
            held.end()
            assert "agentops.session.end_reason" not in attributes(spans.by_name("held"))


class TestProviderShutdown:
    def test_ends_what_is_open_before_the_exporters_close(self, spans: Spans) -> None:
        session = ao.start_session()
        child = spans.tracer.start_span("child")
        spans.provider.shutdown()
        assert ending(spans.root()) == ("unknown", "provider_shutdown", "UNSET")
        assert attributes(spans.by_name("child"))["agentops.session.end_reason"] == "provider_shutdown"
        assert not session.is_open
        child.end()
        assert len(spans.all()) == 2

    def test_ends_descendants_that_outlived_their_session(self, spans: Spans) -> None:
        with ao.session():
            child = spans.tracer.start_span("child")
        spans.provider.shutdown()
        assert attributes(spans.by_name("child"))["agentops.session.end_reason"] == "provider_shutdown"
        assert not child.is_recording()

    def test_leaves_sessions_of_other_providers_alone(self, spans: Spans) -> None:
        other = Spans()
        ao.configure(tracer_provider=other.provider)
        there = ao.start_session("there")
        ao.configure(tracer_provider=spans.provider)
        with ao.session() as here:
            other.provider.shutdown()
            assert not there.is_open
            assert here.is_open
        assert other.names() == ["session there"]

    def test_works_as_ever_otherwise(self, spans: Spans) -> None:
        with ao.session():
            pass
        spans.provider.shutdown()
        assert spans.exporter._stopped

    def test_sessions_after_it_raise_nothing(self, spans: Spans) -> None:
        spans.provider.shutdown()
        with ao.session(), spans.tracer.start_as_current_span("child"):
            pass
        ao.start_session().end(flush=True, timeout=1)


class TestTimeLimits:
    @pytest.mark.parametrize("argument", ["max_duration", "idle_timeout"])
    def test_end_the_session(
        self, argument: str, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        session = ao.start_session(**{argument: 60})  # type: ignore[arg-type]
        child = trace.get_tracer("tests").start_span("child")
        session_clock.advance(59.9)
        assert session.is_open
        session_clock.advance(3600)
        ended = assert_session(captured_sessions, state="unknown", reason="timeout", spans=["child"])
        assert (ended.duration, ended.root.status) == (60, "UNSET")
        assert ended.span("child").attributes["agentops.session.end_reason"] == "timeout"
        assert not session.is_open
        assert not child.is_recording()

    def test_activity_holds_up_the_end_of_idle_timeout_only(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        session = ao.start_session(max_duration=60, idle_timeout=2)
        for _ in range(59):
            session_clock.advance(1)
            trace.get_tracer("tests").start_span("child").end()
        assert session.is_open
        session_clock.advance(1)
        assert not session.is_open
        assert captured_sessions.only().duration == 60

    def test_idleness_begins_anew_with_each_span_that_starts_or_ends(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        session = ao.start_session(idle_timeout=0.3)
        session_clock.advance(0.2)
        child = trace.get_tracer("tests").start_span("child")
        session_clock.advance(0.2)
        child.end()
        session_clock.advance(0.2)
        assert session.is_open
        session_clock.advance(0.1)
        assert captured_sessions.only().duration == 0.7

    def test_many_sessions_that_end_long_before_their_limit_leave_nothing(self, spans: Spans) -> None:
        for _ in range(1000):
            with ao.session(max_duration=3600, idle_timeout=3600):
                pass
        spans.all()
        with ao.session(max_duration=3600):
            spans.all()
            assert len(runtime.worker._timers) < 100


class TestProcessors:
    def test_ours_may_be_added_any_number_of_times_in_any_place(self) -> None:
        ours = [ao.SessionSpanProcessor() for _ in range(4)]
        with in_use(Spans(before=ours[:2], after=ours[2:])) as spans:
            with ao.session(id="s"), spans.tracer.start_as_current_span("child"):
                pass
            assert spans.names() == ["child", "session"]
            assert attributes(spans.by_name("child")) == {"session.id": "s"}

    def test_one_that_is_added_while_a_session_is_open_does_no_harm(self, spans: Spans) -> None:
        with ao.session(), spans.tracer.start_as_current_span("child"):
            spans.provider.add_span_processor(ao.SessionSpanProcessor())
        assert spans.names() == ["child", "session"]

    def test_of_one_provider_does_not_confuse_the_spans_of_another(self, spans: Spans) -> None:
        other = Spans()
        other.provider.add_span_processor(ao.SessionSpanProcessor())
        with ao.session(id="s"):
            other.tracer.start_span("elsewhere").end()
        [elsewhere] = other.all()
        # The same trace and process, so the same session, whatever provider wrote it.
        assert attributes(elsewhere) == {"session.id": "s"}


def test_a_thousand_threads_start_and_end_sessions_at_once(spans: Spans) -> None:
    def work(number: int) -> None:
        with ao.session(id=f"{number}"), spans.tracer.start_as_current_span(f"{number}"):
            pass

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(1000)))
    assert len(spans.roots()) == 1000
    for span in spans.all():
        if span.parent is not None:
            assert attributes(span)["session.id"] == span.name


def test_sessions_without_the_sdk_current_span_keep_other_contexts(spans: Spans) -> None:
    with ao.session():
        assert trace.get_current_span(context.Context()) is trace.INVALID_SPAN


def test_a_provider_that_is_gone_is_forgotten(spans: Spans) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    ao.configure(tracer_provider=provider)
    with ao.session():
        pass
    gone = weakref.ref(provider)
    del provider
    ao.configure(tracer_provider=spans.provider)
    ao.start_session().end()
    gc.collect()
    assert gone() is None
