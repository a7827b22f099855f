"""Sessions that are kept or dropped as a whole, by how they ended."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, Sampler, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, StatusCode
from support.otlp import Receiver, Span
from support.programs import Program, run, script
from support.spans import Spans, attributes, context_of, in_use, poll

import agentops_otel as ao
from agentops_otel import shield
from agentops_otel.runtime import runtime
from agentops_otel.sampling import KeepSessions, SessionSampler, waiting

DOC = Path(__file__).parent.parent / "docs" / "keep-the-failed.md"
COST, INPUT, OUTPUT = "agentops.session.cost", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"


class Kept(Spans):
    """What `KeepSessions` hands on to its processor, where `SessionSampler` samples a ratio of the sessions."""

    def __init__(
        self,
        ratio: float = 0,
        *,
        other: Sampler = ALWAYS_ON,
        processor: SpanProcessor | None = None,
        before: Sequence[SpanProcessor] = (),
        limits: SpanLimits | None = None,
        **options: Any,
    ) -> None:
        self.exporter = InMemorySpanExporter()
        self.keeper = KeepSessions(processor or SimpleSpanProcessor(self.exporter), **options)
        self.provider = TracerProvider(sampler=SessionSampler(ratio, other), shutdown_on_exit=False, span_limits=limits)
        for each in (*before, self.keeper):
            self.provider.add_span_processor(each)
        self.tracer = self.provider.get_tracer("tests", "1.0")

    def all(self) -> list[ReadableSpan]:
        runtime.worker.settle(10)
        assert self.provider.force_flush()
        return list(self.exporter.get_finished_spans())

    def clear(self) -> None:
        self.all()
        super().clear()

    def step(self, name: str = "step", **said: Any) -> None:
        self.tracer.start_span(name, **said).end()


@contextmanager
def keeping(ratio: float = 0, **options: Any) -> Iterator[Kept]:
    kept = Kept(ratio, **options)
    try:
        with in_use(kept):
            yield kept
    finally:
        kept.provider.shutdown()


@pytest.fixture
def kept() -> Iterator[Kept]:
    """No session is sampled, so all that arrives was kept for what it is."""
    with keeping() as kept:
        yield kept


class Processor(SpanProcessor):
    """Does nothing, and says so; the SDK's own does not in all releases."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


HAS_ENDING = hasattr(SpanProcessor, "_on_ending")
"""Younger than the oldest SDK that is supported."""


class Gate(Processor):
    """Lets `on_end` return when it is open."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.came: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.came.append(span.name)
        assert self.is_open.wait(30)


def sampled(span: ReadableSpan | trace.Span) -> bool:
    return context_of(span).trace_flags.sampled


class TestSampler:
    @pytest.mark.parametrize("ratio", [0, 0.3, 1])
    def test_samples_the_sessions_that_the_sdk_would_sample_by_their_trace_ids(self, ratio: float) -> None:
        sdk = TraceIdRatioBased(ratio)
        with keeping(ratio) as kept:
            started = [ao.start_session() for _ in range(50)]
            ids = [int(session.trace_id, 16) for session in started]
            expected = {
                each for each in ids if sdk.should_sample(None, each, "").decision is Decision.RECORD_AND_SAMPLE
            }
            ao.end_all_sessions()
            assert {context_of(root).trace_id for root in kept.roots()} == expected

    @pytest.mark.parametrize("ratio", [0, 1])
    def test_has_every_span_of_a_session_recorded_with_the_flag_of_its_root(self, ratio: float) -> None:
        with keeping(ratio, other=ALWAYS_OFF) as kept, ao.session():
            with (
                kept.tracer.start_as_current_span("child") as child,
                kept.tracer.start_as_current_span("below") as span,
            ):
                wrapped = trace.set_span_in_context(trace.NonRecordingSpan(context_of(child)))
                headers: dict[str, str] = {}
                propagate.inject(headers)
                for around in (None, wrapped, propagate.extract(headers, context.Context())):
                    with kept.tracer.start_as_current_span("another", around) as another:
                        for each in (child, span, another):
                            assert each.is_recording()
                            assert sampled(each) == bool(ratio)

    @pytest.mark.parametrize("ratio", [0, 1])
    def test_leaves_spans_outside_of_sessions_to_the_other_sampler(self, ratio: float) -> None:
        for other, expected in ((ALWAYS_OFF, []), (ALWAYS_ON, ["below", "outside"])):
            with keeping(ratio, other=other) as kept:
                with kept.tracer.start_as_current_span("outside"), kept.tracer.start_as_current_span("below"):
                    pass
                assert kept.names() == expected

    def test_follows_the_flag_of_spans_outside_of_sessions_by_default(self) -> None:
        provider = TracerProvider(sampler=SessionSampler(0), shutdown_on_exit=False)
        for flag in (0, 1):
            far = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(flag))
            around = trace.set_span_in_context(trace.NonRecordingSpan(far))
            span = provider.get_tracer("tests").start_span("span", around)
            assert (span.is_recording(), sampled(span)) == (flag, flag)
        assert provider.get_tracer("tests").start_span("span").is_recording()

    @pytest.mark.parametrize("ratio", [0, 1])
    def test_tells_other_services_whether_the_session_is_sampled(self, ratio: float) -> None:
        with keeping(ratio), ao.session() as session:
            flags = int(session.carrier()["traceparent"][-2:], 16)
            assert flags & trace.TraceFlags.SAMPLED == ratio

    @pytest.mark.parametrize("flag", ["00", "01"])
    def test_follows_the_flag_in_a_session_of_another_process(self, flag: str) -> None:
        provider = TracerProvider(sampler=SessionSampler(0), shutdown_on_exit=False)
        carrier = {"traceparent": f"00-{1:032x}-{2:016x}-{flag}", "baggage": "session.id=there"}
        with keeping(), ao.join_session(carrier):
            span = provider.get_tracer("tests").start_span("here")
        assert span.is_recording() == (flag == "01")

    def test_passes_attributes_and_trace_state_on(self, kept: Kept) -> None:
        with ao.session() as session:
            parent = context_of(trace.get_current_span())
            state = trace.TraceState([("vendor", "1")])
            above = trace.SpanContext(parent.trace_id, parent.span_id, True, parent.trace_flags, state)
            around = trace.set_span_in_context(trace.NonRecordingSpan(above))
            kept.step(attributes={"k": 1}, context=around)
            session.end("error")
        span = kept.by_name("step")
        assert (attributes(span)["k"], context_of(span).trace_state) == (1, state)

    @pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan"), float("inf")])
    def test_refuses_what_is_no_ratio(self, ratio: float) -> None:
        with pytest.raises(ValueError, match="ratio"):
            SessionSampler(ratio)

    def test_refuses_arguments_of_another_type(self) -> None:
        wrong: Any
        for wrong in ("0.1", None):
            with pytest.raises(TypeError, match="ratio"):
                SessionSampler(wrong)
        for wrong in (None, 1, Sampler):
            with pytest.raises(TypeError, match="other"):
                SessionSampler(0.1, wrong)

    def test_describes_itself(self) -> None:
        assert SessionSampler(0.1, ALWAYS_OFF).get_description() == "SessionSampler{0.1,other:AlwaysOffSampler}"


# -- which sessions are kept --------------------------------------------------------------------------------------


def completed(kept: Kept) -> None:
    with ao.session():
        kept.step()


def said_success(kept: Kept) -> None:
    session = ao.start_session()
    kept.step()
    session.end("success")


def said_unknown(kept: Kept) -> None:
    session = ao.start_session()
    kept.step()
    session.end("unknown")


def said_error(kept: Kept) -> None:
    session = ao.start_session()
    kept.step()
    session.end("error")


def said_another_reason(kept: Kept) -> None:
    session = ao.start_session()
    kept.step()
    session.end("success", "timeout")


def raised(kept: Kept) -> None:
    with suppress(LookupError), ao.session():
        kept.step()
        raise LookupError


def raised_inside(kept: Kept) -> None:
    with ao.session():
        with suppress(LookupError), kept.tracer.start_as_current_span("step"):
            raise LookupError


def cancelled(kept: Kept) -> None:
    async def work() -> None:
        async with ao.session():
            kept.step()
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def closed(kept: Kept) -> None:
    @ao.session
    def work() -> Iterator[None]:
        kept.step()
        yield

    working = work()
    next(working)
    del working
    gc.collect()


def interrupted(kept: Kept) -> None:
    with suppress(KeyboardInterrupt), ao.session():
        kept.step()
        raise KeyboardInterrupt


def exited(kept: Kept) -> None:
    with suppress(SystemExit), ao.session():
        kept.step()
        sys.exit(1)


def dropped(kept: Kept) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        session = ao.start_session()
        kept.step()
        del session
        gc.collect()
        runtime.worker.settle(10)


def dropped_by_a_thread(kept: Kept) -> None:
    def work() -> None:
        session = ao.start_session()
        kept.step()
        assert session.is_open

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        gc.collect()
        runtime.worker.settle(10)


def out_of_time(kept: Kept) -> None:
    session = ao.start_session(max_duration=0.01)
    kept.step()
    poll(lambda: not session.is_open)


def shut_down(kept: Kept) -> None:
    session = ao.start_session()
    kept.step()
    kept.provider.shutdown()
    assert not session.is_open


WELL = [completed, said_success, said_unknown]
FAILED = [said_error, raised, raised_inside]
ABNORMAL = [said_another_reason, cancelled, closed, interrupted, exited, dropped, dropped_by_a_thread, out_of_time]

Way = Callable[[Kept], None]


class TestChoice:
    @pytest.mark.parametrize("way", WELL)
    def test_a_session_that_completed_is_dropped(self, kept: Kept, way: Way) -> None:
        way(kept)
        assert kept.names() == []

    @pytest.mark.parametrize("way", [*FAILED, *ABNORMAL])
    def test_a_session_that_did_not_is_kept(self, kept: Kept, way: Way) -> None:
        way(kept)
        [step, root] = kept.all()
        assert (step.name, step.parent, [root]) == ("step", root.context, kept.roots())
        assert sampled(step)
        assert sampled(root)

    def test_a_session_that_the_provider_was_shut_down_in_is_kept(self, kept: Kept) -> None:
        shut_down(kept)
        assert [span.name for span in kept.exporter.get_finished_spans()] == ["step", "session"]

    def test_a_session_that_was_open_when_only_this_processor_was_shut_down_is_kept(self, kept: Kept) -> None:
        with ao.session():
            kept.step()
            kept.keeper.shutdown()
            assert [span.name for span in kept.exporter.get_finished_spans()] == ["step"]

    def test_an_end_state_of_error_counts_where_the_user_has_said_that_the_status_is_ok(self, kept: Kept) -> None:
        with ao.session() as session:
            trace.get_current_span().set_status(StatusCode.OK)
            session.end("error")
        assert [root.status.status_code for root in kept.roots()] == [StatusCode.OK]

    @pytest.mark.parametrize("way", [said_error, raised_inside, *WELL])
    def test_errors_do_not_matter_where_they_are_switched_off(self, way: Way) -> None:
        with keeping(errors=False) as kept:
            way(kept)
            assert kept.names() == []

    @pytest.mark.parametrize("way", [*ABNORMAL, *WELL])
    def test_reasons_do_not_matter_where_they_are_switched_off(self, way: Way) -> None:
        with keeping(abnormal=False) as kept:
            way(kept)
            assert kept.names() == []

    def test_an_abandoned_span_does_not_make_the_end_of_its_session_abnormal(self, kept: Kept) -> None:
        with ao.session():
            kept.tracer.start_span("dropped")
            gc.collect()
        assert kept.names() == []

    @pytest.mark.parametrize(("seconds", "expected"), [(29.9, 0), (30, 0), (30.1, 2)])
    def test_a_session_slower_than_the_limit_is_kept(self, seconds: float, expected: int) -> None:
        with keeping(slower_than=30) as kept:
            session = ao.start_session()
            kept.step()
            root: Any = trace.get_current_span()
            root.end(root.start_time + round(seconds * 1e9))
            assert not session.is_open
            assert len(kept.names()) == expected

    @pytest.mark.parametrize(("cost", "expected"), [(1.5, 0), (1.51, 2), (2, 2), ("much", 0), (float("nan"), 0)])
    def test_a_session_costlier_than_the_limit_is_kept(self, cost: Any, expected: int) -> None:
        with keeping(costlier_than=1.5) as kept:
            with ao.session() as session:
                kept.step()
                session.set_attribute(COST, cost)
            assert len(kept.names()) == expected

    @pytest.mark.parametrize(("output", "expected"), [(60, 0), (61, 3)])
    def test_a_session_with_more_tokens_than_the_limit_is_kept(self, output: int, expected: int) -> None:
        with keeping(more_tokens_than=100) as kept:
            with ao.session():
                kept.step(attributes={"gen_ai.operation.name": "chat", INPUT: 30, OUTPUT: output - 30})
                kept.step(attributes={"gen_ai.operation.name": "chat", INPUT: 10, OUTPUT: 30})
            assert len(kept.names()) == expected

    def test_a_limit_of_zero_is_a_limit(self) -> None:
        with keeping(slower_than=0, errors=False, abnormal=False) as kept:
            completed(kept)
            assert len(kept.names()) == 2

    def test_a_root_that_somebody_ended_by_hand_has_completed(self, kept: Kept) -> None:
        with ao.session():
            root = runtime.registry.open_records()[0].span
            assert root is not None
            kept.step()
            root.end()
        assert kept.names() == []

    @pytest.mark.parametrize(
        ("option", "value", "error"),
        [
            ("errors", 1, TypeError),
            ("abnormal", None, TypeError),
            ("slower_than", "1", TypeError),
            ("slower_than", -1, ValueError),
            ("costlier_than", "1", TypeError),
            ("costlier_than", -1, ValueError),
            ("more_tokens_than", float("nan"), ValueError),
            ("max_spans", 1.0, TypeError),
            ("max_spans", True, TypeError),
            ("max_spans", 0, ValueError),
        ],
    )
    def test_refuses_options_that_make_no_sense(self, option: str, value: Any, error: type[Exception]) -> None:
        with pytest.raises(error, match=option):
            KeepSessions(SpanProcessor(), **{option: value})

    def test_refuses_what_is_no_span_processor(self) -> None:
        wrong: Any
        for wrong in (None, InMemorySpanExporter(), SpanProcessor):
            with pytest.raises(TypeError, match="processor"):
                KeepSessions(wrong)


# -- what is handed on --------------------------------------------------------------------------------------------


class TestHandedOn:
    def test_spans_are_as_they_were_but_for_the_flag(self) -> None:
        plain = InMemorySpanExporter()

        class Everything(Processor):
            def on_end(self, span: ReadableSpan) -> None:
                plain.export((span,))

        limits = SpanLimits(max_attributes=8, max_events=1, max_links=1)
        with keeping(before=[Everything()], limits=limits) as kept:
            with suppress(ValueError), ao.session("whole", attributes={"k": (1, 2)}) as session:
                link = Link(context_of(trace.get_current_span()), {"n": 1})
                with kept.tracer.start_as_current_span("step", kind=SpanKind.CLIENT, links=[link, link]) as span:
                    span.set_attributes({f"{number}": number for number in range(20)})
                    span.add_event("first", {"n": 1})
                    span.add_event("second")
                    span.set_status(StatusCode.OK)
                session.record_exception(KeyError("survived"))
                raise ValueError("not survived")
            arrived = kept.all()
        originals = plain.get_finished_spans()
        assert [span.name for span in arrived] == ["step", "session whole"]
        for kept_span, original in zip(arrived, originals, strict=True):
            assert sampled(kept_span)
            assert not sampled(original)
            ours, theirs = context_of(kept_span), context_of(original)
            assert ours[:3] == theirs[:3]
            assert (ours.trace_flags, ours.trace_state) == (theirs.trace_flags | 1, theirs.trace_state)
            assert kept_span.context is ours
            assert kept_span.to_json() == original.to_json()
            assert (kept_span.parent and kept_span.parent[:3]) == (original.parent and original.parent[:3])
            for name in ("resource", "instrumentation_scope", "status", "kind", "start_time", "end_time"):
                assert getattr(kept_span, name) is getattr(original, name)
            for name in ("attributes", "events", "links"):
                assert getattr(kept_span, name) == getattr(original, name)
            for name in ("dropped_attributes", "dropped_events", "dropped_links"):
                assert getattr(kept_span, name) == getattr(original, name)
        assert (arrived[0].dropped_events, arrived[0].dropped_links) == (1, 1)
        assert arrived[0].dropped_attributes > 0

    def test_spans_of_sampled_sessions_and_outside_of_sessions_are_passed_on_at_once_as_they_are(self) -> None:
        started: list[SdkSpan] = []
        ended: list[ReadableSpan] = []

        class Seen(Processor):
            def on_start(self, span: SdkSpan, parent_context: context.Context | None = None) -> None:
                started.append(span)

            def on_end(self, span: ReadableSpan) -> None:
                ended.append(span)

        with keeping(1, processor=Seen()) as kept:
            with ao.session():
                [record] = runtime.registry.open_records()
                assert started == [record.span]
            kept.step()
            assert [span.name for span in ended] == ["session", "step"]
            assert {type(span) for span in ended} == {ReadableSpan}

    def test_starts_and_endings_of_held_spans_are_passed_on_too(self) -> None:
        seen = []

        class Seen(Processor):
            def on_start(self, span: SdkSpan, parent_context: context.Context | None = None) -> None:
                span.set_attribute("by", "me")
                seen.append("start")

            def _on_ending(self, span: SdkSpan) -> None:
                seen.append("ending")

        with keeping(processor=Seen()) as kept:
            completed(kept)
        assert seen == ["start", "start", *(["ending", "ending"] if HAS_ENDING else [])]

    def test_late_spans_follow_the_decision(self, kept: Kept) -> None:
        for state, expected in (("success", []), ("error", ["ended late", "score", "session", "started late"])):
            with ao.session() as session:
                child = kept.tracer.start_span("ended late")
                session.end(state)
            below = trace.set_span_in_context(child)
            child.end()
            runtime.worker.settle(10)
            assert runtime.registry.find(context_of(child).trace_id) is None
            kept.tracer.start_span("started late", below).end()
            with kept.tracer.start_as_current_span("score", below), kept.tracer.start_as_current_span("score"):
                pass
            assert sorted(set(kept.names())) == expected

    def test_a_score_that_comes_later_follows_the_decision(self, kept: Kept) -> None:
        for state, expected in (("success", 0), ("error", 2)):
            with ao.session() as session:
                session.end(state)
            ao.record_score(session.id, "helpful", 1)
            assert len(kept.names()) == expected

    def test_an_error_decides_before_the_session_ends(self, kept: Kept) -> None:
        with ao.session():
            kept.step("before")
            assert kept.names() == []
            with suppress(LookupError), kept.tracer.start_as_current_span("failing"):
                raise LookupError
            assert kept.names() == ["before", "failing"]
            kept.step("after")
            assert kept.names() == ["before", "failing", "after"]
        assert kept.names() == ["before", "failing", "after", "session"]

    def test_each_exporter_may_choose_by_itself(self) -> None:
        everything = InMemorySpanExporter()
        slow = KeepSessions(SimpleSpanProcessor(everything), slower_than=0)
        with keeping(before=[slow]) as kept:
            completed(kept)
            assert kept.names() == []
            assert len(everything.get_finished_spans()) == 2

    def test_where_another_sampler_has_sampled_everything_all_is_passed_on(self) -> None:
        exporter = InMemorySpanExporter()
        with in_use(Spans(before=[KeepSessions(SimpleSpanProcessor(exporter))])) as spans:
            with ao.session():
                spans.tracer.start_span("step").end()
        assert len(exporter.get_finished_spans()) == 2

    def test_the_end_of_a_session_does_not_wait_for_its_export(self) -> None:
        gate = Gate()
        with keeping(processor=gate) as kept:
            said_error(kept)
            poll(lambda: gate.came)
            assert not kept.provider.force_flush(10)
            gate.is_open.set()
            assert kept.provider.force_flush()
        assert gate.came == ["step", "session"]

    def test_a_processor_that_raises_costs_nobody_else_anything(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        came: list[str] = []

        class Raising(Processor):
            def on_start(self, span: SdkSpan, parent_context: context.Context | None = None) -> None:
                raise ValueError("start")

            def on_end(self, span: ReadableSpan) -> None:
                came.append(span.name)
                raise ValueError("end")

        monkeypatch.setattr(shield, "reraise", False)
        monkeypatch.setattr(shield, "_said", set())
        with keeping(processor=Raising()) as kept:
            said_error(kept)
            kept.step("outside")
            assert kept.provider.force_flush()
        assert sorted(came) == ["outside", "session", "step"]
        assert len(caplog.records) == 3

    def test_a_long_session_gets_through_a_batch_processor_whole(self, receiver: Receiver) -> None:
        processor = BatchSpanProcessor(OTLPSpanExporter(f"{receiver.http_endpoint}/v1/traces"))
        with keeping(processor=processor) as kept:
            with ao.session() as session:
                for _ in range(6000):
                    kept.step()
                session.end("error")
            assert kept.provider.force_flush()
            assert len(receiver.spans) == 6001
            kept.provider.shutdown()


# -- the bound ----------------------------------------------------------------------------------------------------


class TestBound:
    def test_when_too_many_spans_wait_the_session_with_most_is_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        with keeping(max_spans=100) as kept:
            small = [ao.start_session(f"small {number}") for number in range(5)]
            for session in small:
                with session.attach():
                    kept.step()
            large = ao.start_session("large")
            for _ in range(96):
                kept.step()
            poll(lambda: len(kept.names()) == 96)
            assert kept.keeper.kept_early == 1
            kept.step("later")
            large.end()
            for session in small:
                session.end()
            poll(lambda: kept.names() == ["step"] * 96 + ["later", "session large"])
        [said] = caplog.records
        assert (said.levelno, said.name) == (logging.WARNING, "agentops_otel")
        assert "max_spans" in said.getMessage()

    def test_what_was_decided_gives_its_room_back(self) -> None:
        with keeping(max_spans=10) as kept:
            for number in range(100):
                with ao.session() as session:
                    for _ in range(9):
                        kept.step()
                    session.end("error" if number % 2 else "success")
                assert kept.provider.force_flush()
            assert len(kept.roots()) == 50
            assert kept.keeper.kept_early == 0

    def test_no_more_than_the_backlog_pile_up_where_nothing_is_exported(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(waiting, "BACKLOG", 5)
        gate = Gate()
        with keeping(processor=gate, max_spans=10) as kept:
            said_error(kept)
            poll(lambda: gate.came)  # one is on its way, and its session waits behind it
            with ao.session():
                for _ in range(30):
                    kept.step()
                assert (kept.keeper.kept_early, kept.keeper.lost) == (1, 16)
            assert kept.keeper.lost == 17
            gate.is_open.set()
            assert kept.provider.force_flush()
            assert Counter(gate.came) == {"step": 15, "session": 1}
            said_error(kept)
            assert kept.provider.force_flush()
            assert gate.came[-2:] == ["step", "session"]
        assert len(caplog.records) == 2
        assert "does not keep up" in caplog.records[1].getMessage()

    def test_a_session_that_was_kept_early_is_kept_however_many_end_before_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "REMEMBERED", 10)
        with keeping(max_spans=10) as kept:
            long = ao.start_session("long")
            for _ in range(11):
                kept.step()
            for _ in range(50):
                with ao.session():
                    pass
            kept.step("late")
            long.end()
            assert Counter(kept.names()) == {"step": 11, "late": 1, "session long": 1}

    def test_the_end_of_the_provider_leaves_no_thread(self) -> None:
        def threads() -> int:
            return sum(thread.name == "agentops-otel-sampling" for thread in threading.enumerate())

        poll(lambda: threads() == 0)
        with keeping() as kept:
            said_error(kept)
            assert threads() == 1
        poll(lambda: threads() == 0)

    def test_sessions_that_are_over_leave_little(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(waiting, "REMEMBERED", 10)
        with keeping() as kept:
            for number in range(50):
                with ao.session() as session:
                    kept.step()
                    session.end("error" if number % 2 else "success")
            kept.all()
            here = kept.keeper._here()
            assert len(here._roots) == len(here._decisions) == len(here._over) == 10
            assert here._spans == {}
            assert len(here._room) == 10_000 + waiting.BACKLOG


# -- whole or not at all ------------------------------------------------------------------------------------------


def assert_whole(kept: Kept, expected: dict[str, int]) -> dict[str, bool]:
    """Checks that each trace arrived as a whole or not at all; ``expected`` is the number of spans by trace id."""
    arrived = Counter(trace.format_trace_id(context_of(span).trace_id) for span in kept.all())
    ids = [context_of(span).span_id for span in kept.all()]
    assert len(ids) == len(set(ids))
    assert arrived.keys() <= expected.keys()
    for trace_id, number in expected.items():
        assert arrived[trace_id] in (0, number)
    return {trace_id: arrived[trace_id] > 0 for trace_id in expected}


class TestWhole:
    @settings(max_examples=60)
    @given(
        plan=st.lists(
            st.tuples(
                st.sampled_from(["success", "error", "unknown"]),
                st.lists(st.sampled_from(["fine", "failing", "late"]), max_size=6),
            ),
            max_size=8,
        ),
        turns=st.lists(st.integers(0, 7), max_size=40),
        ratio=st.sampled_from([0, 0.5, 1]),
        max_spans=st.sampled_from([1, 3, 10_000]),
    )
    def test_each_session_arrives_completely_or_not_at_all(
        self, plan: list[tuple[str, list[str]]], turns: list[int], ratio: float, max_spans: int
    ) -> None:
        with keeping(ratio, max_spans=max_spans) as kept:
            sessions = [ao.start_session() for _ in plan]
            to_do = [list(spans) for _, spans in plan]
            late: list[trace.Span] = []
            # The spans of the sessions take turns, then what is left of each.
            for number in [
                *(turn for turn in turns if turn < len(plan)),
                *(n for n, s in enumerate(plan) for _ in s[1]),
            ]:
                if to_do[number]:
                    kind = to_do[number].pop()
                    with sessions[number].attach():
                        span = kept.tracer.start_span(kind)
                    if kind == "late":
                        late.append(span)
                        continue
                    if kind == "failing":
                        span.set_status(StatusCode.ERROR)
                    span.end()
            for session, (state, _) in zip(sessions, plan, strict=True):
                session.end(state)
            for span in late:
                span.end()
            arrived = assert_whole(
                kept, {s.trace_id: 1 + len(spans) for s, (_, spans) in zip(sessions, plan, strict=True)}
            )
            within = TraceIdRatioBased(ratio).bound
            for session, (state, spans) in zip(sessions, plan, strict=True):
                is_wanted = state == "error" or "failing" in spans or int(session.trace_id, 16) % (1 << 64) < within
                assert arrived[session.trace_id] or not is_wanted
                if max_spans == 10_000:
                    assert arrived[session.trace_id] == is_wanted

    @pytest.mark.parametrize("max_spans", [50, 10_000])
    def test_with_eight_threads_in_the_same_sessions(self, max_spans: int) -> None:
        with keeping(0.2, max_spans=max_spans) as kept:
            expected: dict[str, int] = {}
            with ThreadPoolExecutor(8) as pool:
                for number in range(60):
                    session = ao.start_session()
                    spans = [[kept.tracer.start_span("step") for _ in range(10)] for _ in range(8)]

                    def end(spans: list[trace.Span], session: ao.Session = session, number: int = number) -> None:
                        for position, span in enumerate(spans):
                            if position == 5:  # all threads try to, among the ends of spans
                                session.end("error" if number % 3 == 0 else None)
                            span.end()

                    list(pool.map(end, spans))
                    expected[session.trace_id] = 81
            arrived = assert_whole(kept, expected)
            for number, is_there in enumerate(arrived.values()):
                assert is_there or number % 3
            if max_spans == 10_000:
                assert not all(arrived.values())

    def test_with_eight_threads_of_their_own_sessions(self) -> None:
        with keeping(0.2, max_spans=500) as kept:

            def work(number: int) -> tuple[str, int]:
                with suppress(LookupError), ao.session() as session:
                    for _ in range(number % 40):
                        kept.step()
                    if number % 5 == 0:
                        raise LookupError
                return session.trace_id, 1 + number % 40

            with ThreadPoolExecutor(8) as pool:
                assert_whole(kept, dict(pool.map(work, range(400))))

    def test_with_spans_that_finalizers_end_in_the_middle_of_anything(self) -> None:
        with keeping(max_spans=20) as kept:
            found: list[None] = []

            class Abandoned:
                """Ends a span when the garbage collector finds it."""

                def __init__(self) -> None:
                    self.me = self
                    self.span = kept.tracer.start_span("abandoned")

                def __del__(self) -> None:
                    self.span.end()
                    found.append(None)

            expected = {}
            thresholds = gc.get_threshold()
            gc.set_threshold(1)
            try:
                for number in range(100):
                    session = ao.start_session()
                    for _ in range(5):
                        Abandoned()
                        kept.step()
                    session.end("error" if number % 2 else None)
                    expected[session.trace_id] = 11
            finally:
                gc.set_threshold(*thresholds)
            # While another thread collects garbage, this does nothing.
            poll(lambda: gc.collect() >= 0 and len(found) == 500)
            assert_whole(kept, expected)


# -- in processes of their own ------------------------------------------------------------------------------------


def by_session(receiver: Receiver) -> dict[str, list[Span]]:
    return {
        root.name.removeprefix("session "): [span for span in receiver.spans if span.trace_id == root.trace_id]
        for root in receiver.sessions()
    }


class TestProcess:
    def test_that_ends_well_exports_nothing(self, receiver: Receiver) -> None:
        outcome = run([script("keep_the_failed"), "completes"], receiver.environment())
        assert (outcome.returncode, outcome.stderr) == (0, "")
        assert receiver.spans == []

    def test_that_is_killed_by_sigterm_exports_the_session_that_was_open_whole(self, receiver: Receiver) -> None:
        with Program.start([script("keep_the_failed"), "waits"], env=receiver.environment()) as program:
            program.wait_for_line("ready")
            program.send(signal.SIGTERM)
            assert program.wait().returncode == -signal.SIGTERM
        sessions = by_session(receiver)
        assert list(sessions) == ["last"]
        assert sorted(span.name for span in sessions["last"]) == ["session last", "step", "step", "step"]
        [root] = receiver.sessions()
        assert root.attributes["agentops.session.end_reason"] == "signal"

    def test_that_ends_with_an_open_session_exports_it_whole(self, receiver: Receiver) -> None:
        outcome = run([script("keep_the_failed"), "stays_open"], receiver.environment())
        assert (outcome.returncode, outcome.stderr) == (0, "")
        assert {name: len(spans) for name, spans in by_session(receiver).items()} == {"last": 4}

    def test_that_was_forked_decides_on_its_own_sessions_only(self, receiver: Receiver) -> None:
        outcome = run([script("keep_the_failed"), "forks"], receiver.environment() | {"PYTHONWARNINGS": "ignore"})
        assert (outcome.returncode, outcome.stdout) == (0, "not recording\n")
        sessions = by_session(receiver)
        assert {name: len(spans) for name, spans in sessions.items()} == {"last": 4, "of the child": 2}
        assert len(receiver.spans) == 6


def test_the_snippet_of_the_page_works(receiver: Receiver, tmp_path: Path) -> None:
    [snippet] = re.findall(r"^```python\n(.*?)^```", DOC.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    program = tmp_path / "snippet.py"
    program.write_text(f"{snippet}\nimport agentops_otel as ao\nao.start_session('left open')\n")
    outcome = run([sys.executable, str(program)], receiver.environment())
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert [root.name for root in receiver.sessions()] == ["session left open"]
