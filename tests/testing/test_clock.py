"""The clock of tests: sessions, their limits and spans have exact times, and nobody waits."""

from __future__ import annotations

import gc
import time
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from support.spans import Spans, attributes, in_use, poll

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.testing import CapturedSessions, SessionClock, assert_session, capture_sessions, fake_clock

TRACER = trace.get_tracer("module")
MIDNIGHT = int(datetime(2000, 1, 1, tzinfo=timezone.utc).timestamp()) * 10**9
SECOND = 10**9


class TestTimes:
    def test_are_exact(self, captured_sessions: CapturedSessions, session_clock: SessionClock) -> None:
        with ao.session():
            session_clock.advance(1.5)
            with TRACER.start_as_current_span("child") as span:
                session_clock.advance(0.000_000_001)
                span.add_event("event")
                session_clock.advance(3600)
        session = captured_sessions.only()
        [child] = session.spans
        start = MIDNIGHT + SECOND * 3 // 2
        assert (session.root.start_time, child.start_time) == (MIDNIGHT, start)
        assert (child.end_time, session.root.end_time) == (start + 3600 * SECOND + 1,) * 2
        assert child.events[0].time == start + 1
        assert [log.time for log in session.logs] == [MIDNIGHT, session.root.end_time]
        assert session.logs[1].attributes["agentops.session.duration"] == session.duration == 3601.500000001

    def test_do_not_pass_by_themselves(self, captured_sessions: CapturedSessions, session_clock: SessionClock) -> None:
        session = ao.start_session(max_duration=1e-6)
        before = session_clock.time_ns(), session_clock.monotonic()
        for _ in range(1000):
            TRACER.start_span("child").end()
        captured_sessions.spans  # noqa: B018 - waits until the package's own thread has caught up
        assert (session_clock.time_ns(), session_clock.monotonic()) == before
        assert session.is_open
        session_clock.advance(1e-6)
        assert captured_sessions.only().duration == 1e-6

    def test_begin_where_the_test_says(self) -> None:
        with capture_sessions() as captured:
            clock = captured.use_clock(start=1.25)
            assert captured.use_clock() is clock
            with ao.session():
                pass
        assert captured.only().root.start_time == SECOND * 5 // 4

    def test_of_a_session_that_is_left_open_are_exact_too(self) -> None:
        with capture_sessions() as captured:
            clock = captured.use_clock()
            left = ao.start_session("left")
            clock.advance(3)
        assert captured.only("left").duration == 3
        assert not left.is_open

    def test_of_a_session_that_was_dropped_are_those_of_its_death(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        def drop() -> None:
            session = ao.start_session("dropped")
            session_clock.advance(2)
            del session
            gc.collect()
            session_clock.advance(5)

        with pytest.warns(ResourceWarning, match="was never ended"):
            drop()
        assert assert_session(captured_sessions, reason="garbage_collected").duration == 2

    def test_are_the_real_ones_again_afterwards(self) -> None:
        before = time.time_ns()
        with capture_sessions() as captured:
            captured.use_clock()
        with capture_sessions() as captured, ao.session():
            TRACER.start_span("child").end()
        session = captured.only()
        assert before < session.root.start_time < session.spans[0].end_time < time.time_ns()


class TestLimits:
    def test_end_each_session_at_its_own_time(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        kept = [ao.start_session(f"{seconds}", max_duration=seconds) for seconds in (30, 10, 86_400, 20)]
        session_clock.advance(3600)
        assert [session.is_open for session in kept] == [False, False, True, False]
        ended = {session.name: (session.reason, session.duration) for session in captured_sessions.sessions}
        assert ended == {f"{seconds}": ("timeout", seconds) for seconds in (10, 20, 30)}
        kept[2].end()

    @given(
        limit=st.integers(1, 10**9),
        steps=st.lists(st.integers(1, 10**9), min_size=1, max_size=20),
        unit=st.sampled_from([1e-6, 1e-3, 1]),
        argument=st.sampled_from(["max_duration", "idle_timeout"]),
    )
    def test_hold_to_the_microsecond_however_time_goes_by(
        self, limit: int, steps: list[int], unit: float, argument: str
    ) -> None:
        with capture_sessions() as captured:
            clock = captured.use_clock()
            session = ao.start_session(**{argument: limit * unit})  # type: ignore[arg-type]
            passed = 0
            for step in steps:
                clock.advance(step * unit)
                passed += step
                assert session.is_open == (passed < limit)
            session.end()
        assert captured.only().root.end_time - MIDNIGHT == round(min(limit, passed) * unit * 1e6) * 1000

    def test_are_over_whenever_the_session_started(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        for _ in range(500):
            session = ao.start_session(max_duration=0.1)
            session_clock.advance(0.1)
            assert not session.is_open
        assert {session.duration for session in captured_sessions.sessions} == {0.1}

    def test_of_idleness_follow_what_happens_on_the_way(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        session = ao.start_session(idle_timeout=0.3)
        for _ in range(100):
            session_clock.advance(0.2)
            TRACER.start_span("child").end()
        session_clock.advance(0.299)
        assert session.is_open
        session_clock.advance(0.001)
        assert not session.is_open
        assert captured_sessions.only().duration == 20.3

    def test_of_a_session_without_any_are_none(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        with ao.session() as session:
            session_clock.advance(1e8)
            assert session.is_open
        assert captured_sessions.only().duration == 1e8


class TestAdvancing:
    def test_half_a_second_notices_a_child_that_was_dropped(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock
    ) -> None:
        with ao.session() as session:
            TRACER.start_span("dropped")
            session_clock.advance(0.6)
            gc.collect()
            assert [span.name for span in captured_sessions.spans] == ["dropped"]
            assert session.is_open
        assert captured_sessions.only().span("dropped").attributes["agentops.session.end_reason"] == "garbage_collected"

    @pytest.mark.parametrize("seconds", [0, -1, True, "1", None, float("nan"), float("inf")])
    def test_takes_a_positive_number_only(
        self, captured_sessions: CapturedSessions, session_clock: SessionClock, seconds: float
    ) -> None:
        with pytest.raises((TypeError, ValueError), match="seconds must be"):
            session_clock.advance(seconds)
        assert session_clock.time_ns() == MIDNIGHT

    def test_is_for_the_clock_in_use(self) -> None:
        with capture_sessions() as captured:
            clock = captured.use_clock()
            with capture_sessions() as inner:
                inner.use_clock()
                with pytest.raises(RuntimeError, match="not in use"):
                    clock.advance(1)
            clock.advance(1)
        with pytest.raises(RuntimeError, match="not in use"):
            clock.advance(1)
        with pytest.raises(RuntimeError, match="over"):
            captured.use_clock()

    @pytest.mark.parametrize("years", [0, 1])
    def test_does_not_keep_the_package_from_its_work_afterwards(self, years: int) -> None:
        with in_use(Spans()) as spans, ao.session():
            with capture_sessions() as captured:
                clock = captured.use_clock()
                clock.advance(1 + years * 31_536_000)
                with ao.session():
                    pass
                assert runtime.registry._is_attending
            spans.tracer.start_span("dropped")  # found by what was planned while the other clock was in use
            poll(spans.names)
            assert attributes(spans.by_name("dropped"))["agentops.session.end_reason"] == "garbage_collected"

    def test_does_so_also_where_it_was_used_by_itself(self) -> None:
        with in_use(Spans()) as spans, ao.session():
            clock = SessionClock(fake_clock.START)
            with fake_clock.in_use(clock):
                clock.advance(3600)
                with ao.session():
                    assert runtime.registry._is_attending
            spans.tracer.start_span("dropped")
            poll(lambda: "dropped" in spans.names())
