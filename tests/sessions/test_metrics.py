"""What a MeterProvider of the program is told of sessions."""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from support.deaths import Deaths, Setup
from support.other_signals import Metrics
from support.otlp import Metric, Point
from support.spans import Spans, in_use

import agentops_otel as ao
from agentops_otel.runtime import runtime

ACTIVE, DURATION, ENDED = "agentops.session.active", "agentops.session.duration", "agentops.session.ended"
STATE, REASON = "agentops.session.end_state", "agentops.session.end_reason"


@pytest.fixture
def measured(spans: Spans) -> Iterator[Metrics]:
    with Metrics().in_use() as measured:
        yield measured


def how(point: Any) -> tuple[str, str]:
    """End state and reason of a data point, which has no other attributes: no id, above all."""
    assert set(point.attributes) == {STATE, REASON}
    return point.attributes[STATE], point.attributes[REASON]


def ended(measured: Metrics) -> dict[tuple[str, str], int]:
    return {how(point): point.value for point in measured.points(ENDED)}


def active(measured: Metrics) -> int:
    [point] = measured.points(ACTIVE)
    assert point.attributes == {}
    value: int = point.value
    return value


class TestActive:
    def test_is_the_number_of_open_sessions(self, spans: Spans, measured: Metrics) -> None:
        with ao.session():
            assert active(measured) == 1
            started = [ao.start_session() for _ in range(3)]
            assert active(measured) == 4
        for session in started:
            session.end()
        assert active(measured) == 0

    def test_does_not_count_sessions_of_others(self, spans: Spans, measured: Metrics) -> None:
        with ao.session():
            pass
        with ao.join_session({"traceparent": f"00-{1:032x}-{2:016x}-01", "baggage": "session.id=s"}):
            with spans.tracer.start_as_current_span("step"):
                assert active(measured) == 0


class TestEnded:
    def test_counts_by_state_and_reason(self, spans: Spans, measured: Metrics) -> None:
        for _ in range(2):
            with ao.session("by its block", id="an id", conversation_id="another", user_id="a third"):
                pass
        with pytest.raises(ValueError), ao.session():
            raise ValueError
        ao.start_session().end("error", "timeout")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            ao.start_session()
            gc.collect()
            runtime.worker.settle(10)
        assert ended(measured) == {
            ("success", "completed"): 2,
            ("error", "exception"): 1,
            ("error", "timeout"): 1,
            ("unknown", "garbage_collected"): 1,
        }

    def test_counts_each_session_once(self, spans: Spans, measured: Metrics) -> None:
        session = ao.start_session()
        for _ in range(3):
            session.end()
        root_ended_by_somebody = ao.start_session()
        root: Any = runtime.registry.open_records()[0].span
        root.end()
        runtime.worker.settle(10)
        assert not root_ended_by_somebody.is_open
        assert ended(measured) == {("success", "completed"): 2}

    def test_counts_sessions_that_are_not_sampled_too(self) -> None:
        with in_use(Spans(sampler=ALWAYS_OFF)), Metrics().in_use() as measured:
            with ao.session():
                assert active(measured) == 1
            assert ended(measured) == {("success", "completed"): 1}
            assert measured.points(DURATION) == []  # a span that is not recorded has no times

    def test_counts_those_of_many_threads(self, spans: Spans, measured: Metrics) -> None:
        def work(number: int) -> None:
            with ao.session():
                pass

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(400)))
        assert ended(measured) == {("success", "completed"): 400}


class TestDuration:
    def test_is_measured_in_seconds_by_state_and_reason(self, spans: Spans, measured: Metrics) -> None:
        with ao.session():
            pass
        ao.start_session().end("error")
        points = {how(point): point for point in measured.points(DURATION)}
        assert points.keys() == {("success", "completed"), ("error", "completed")}
        for root in spans.roots():
            assert root.start_time is not None
            assert root.end_time is not None
        [completed] = [root for root in spans.roots() if root.status.status_code.name == "UNSET"]
        point = points["success", "completed"]
        assert point.count == 1
        assert point.sum == ((completed.end_time or 0) - (completed.start_time or 0)) / 1e9

    def test_has_buckets_for_what_agents_take(self, spans: Spans, measured: Metrics) -> None:
        with ao.session():
            pass
        [point] = measured.points(DURATION)
        assert point.explicit_bounds[0] < 1
        assert point.explicit_bounds[-1] >= 3600

    def test_leads_to_the_session(self, spans: Spans, measured: Metrics) -> None:
        with ao.session() as session:
            pass
        read = measured.all()  # once: exemplars are told once
        for name in (DURATION, ENDED):
            [point] = read[name].data.data_points
            assert [exemplar.trace_id for exemplar in point.exemplars] == [int(session.trace_id, 16)]


def test_units_and_scope_are_these(spans: Spans, measured: Metrics) -> None:
    with ao.session():
        pass
    assert {name: metric.unit for name, metric in measured.all().items()} == {
        ACTIVE: "{session}",
        DURATION: "s",
        ENDED: "{session}",
    }


class TestProvider:
    def test_that_is_not_set_costs_nothing(self, spans: Spans) -> None:
        with ao.session():
            pass
        assert runtime.registry.observers == ()

    def test_that_is_set_after_the_first_session_is_found_by_the_next(self, spans: Spans) -> None:
        measured = Metrics()
        with ao.session():
            with measured.in_use():
                assert measured.all() == {}
                with ao.session():
                    assert active(measured) == 2
        assert ended(measured) == {("success", "completed"): 2}

    def test_is_told_nothing_twice_after_everything_was_given_back(self, spans: Spans, measured: Metrics) -> None:
        for number in range(1, 4):
            with ao.session():
                assert active(measured) == 1
            assert ended(measured) == {("success", "completed"): number}
            runtime.release()
            ao.configure(tracer_provider=spans.provider)

    def test_is_met_once_by_threads_that_start_their_first_sessions_together(self, spans: Spans) -> None:
        together = threading.Barrier(2)
        made: list[str] = []

        class Own(MeterProvider):
            def get_meter(self, name: str, *args: Any, **kwargs: Any) -> Any:
                made.append(name)
                with suppress(threading.BrokenBarrierError):
                    together.wait(0.5)  # for the other thread, which must not come
                return super().get_meter(name, *args, **kwargs)

        def work(number: int) -> None:
            with ao.session():
                pass

        measured = Metrics()
        measured.reader = InMemoryMetricReader()
        measured.provider = Own([measured.reader], shutdown_on_exit=False)
        with measured.in_use(), ThreadPoolExecutor(2) as pool:
            list(pool.map(work, range(2)))
        assert made.count("agentops_otel") == 1
        assert ended(measured) == {("success", "completed"): 2}

    def test_that_raises_costs_no_session(self, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
        class Hostile(MeterProvider):
            def get_meter(self, *args: Any, **kwargs: Any) -> Any:
                raise ValueError

        monkeypatch.setattr("agentops_otel.shield.reraise", False)
        measured = Metrics()
        measured.provider = Hostile(shutdown_on_exit=False)
        with measured.in_use():
            for _ in range(3):
                with ao.session():
                    pass
        assert len(spans.roots()) == 3


class TestProcesses:
    """Over OTLP, from programs that end in one way or the other."""

    def last(self, deaths: Deaths, name: str) -> dict[tuple[str, ...], Point]:
        """The latest points of a metric by their attributes; cumulative, so each has it all."""
        metrics: list[Metric] = [metric for metric in deaths.receiver.metrics if metric.name == name]
        return {tuple(point.attributes.values()): point for metric in metrics for point in metric.points}

    def run(self, deaths: Deaths, how: str, setup: Setup = "configure", **options: Any) -> None:
        env = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
        died = deaths.run("measured", how, setup=setup, env=env, **options)
        assert died.stderr == ""
        assert died.returncode == (-signal.SIGTERM if "send" in options else 0)

    @pytest.mark.parametrize("setup", ["configure", "by_hand", "own"])
    def test_everything_arrives_at_the_exit(self, deaths: Deaths, setup: Setup) -> None:
        self.run(deaths, "exits", setup)
        expected = {("success", "completed"): 3, ("unknown", "process_exit"): 2}
        assert {key: point.value for key, point in self.last(deaths, ENDED).items()} == expected
        assert {key: point.count for key, point in self.last(deaths, DURATION).items()} == expected
        assert self.last(deaths, ACTIVE)[()].value == 0

    def test_everything_arrives_before_a_signal_kills(self, deaths: Deaths) -> None:
        self.run(deaths, "is_terminated", send=signal.SIGTERM)
        expected = {("success", "completed"): 3, ("unknown", "signal"): 2}
        assert {key: point.value for key, point in self.last(deaths, ENDED).items()} == expected
        assert {key: point.count for key, point in self.last(deaths, DURATION).items()} == expected

    def test_of_a_provider_that_comes_late_arrive_from_then_on(self, deaths: Deaths) -> None:
        self.run(deaths, "measures_late", "own")
        expected = {("success", "completed"): 3, ("unknown", "process_exit"): 2}
        assert {key: point.value for key, point in self.last(deaths, ENDED).items()} == expected

    def test_of_open_sessions_arrive_while_they_are_open(self, deaths: Deaths) -> None:
        self.run(deaths, "says_now")
        values = [point.value for metric in deaths.receiver.metrics if metric.name == ACTIVE for point in metric.points]
        assert values[0] == 2
        assert values[-1] == 0

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
    def test_a_forked_child_does_not_report_the_sessions_of_its_parent(self, deaths: Deaths) -> None:
        self.run(deaths, "forks")
        values = [point.value for metric in deaths.receiver.metrics if metric.name == ACTIVE for point in metric.points]
        assert values[0] == 1  # in the child, in its own session
        assert values[-1] == 0
