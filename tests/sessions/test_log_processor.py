"""Log records that are emitted in a session carry its ids; others do not."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN, set_span_in_context
from support.deaths import COMPLETED, Deaths
from support.other_signals import Logs, said_by
from support.spans import Spans, context_of, in_use

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.sessions.log_processor import TrackingLogProcessor

IDS = {"session.id": "s", "gen_ai.conversation.id": "c", "user.id": "u"}
CARRIER = {
    "traceparent": f"00-{0xA0A0:032x}-{0xB0B0:016x}-01",
    "baggage": "session.id=s,gen_ai.conversation.id=c,user.id=u",
}
"""Of a session of another process."""


@pytest.fixture
def logs(spans: Spans) -> Iterator[Logs]:
    with Logs().in_use() as logs:
        yield logs


@contextmanager
def session() -> Iterator[ao.Session]:
    with ao.session(id="s", conversation_id="c", user_id="u") as session:
        yield session


class Kept(LogRecordProcessor):
    """What the records said when a processor of the user was told of them, by their bodies."""

    def __init__(self) -> None:
        self.seen: dict[Any, dict[str, Any]] = {}

    def on_emit(self, log_record: Any) -> None:
        self.seen[log_record.log_record.body] = dict(log_record.log_record.attributes)

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class TestInASession:
    def test_carry_its_ids(self, spans: Spans, logs: Logs) -> None:
        with session():
            logs.emit("here", attributes={"k": 1})
        assert said_by(logs.said("here")) == {**IDS, "k": 1}

    def test_carry_them_in_its_spans_too(self, spans: Spans, logs: Logs) -> None:
        with session(), spans.tracer.start_as_current_span("step"), spans.tracer.start_as_current_span("below"):
            logs.emit("here")
        assert said_by(logs.said("here")) == IDS
        assert logs.said("here").trace_id == context_of(spans.root()).trace_id

    def test_are_told_by_the_context_they_bring(self, spans: Spans, logs: Logs) -> None:
        with session():
            inside = context.get_current()
            logs.emit("outside", context=Context({"k": 1}))
            logs.emit("no span", context=set_span_in_context(INVALID_SPAN, Context()))
        with session():
            with ao.session("other"):
                logs.emit("still outside", context=inside)
        assert said_by(logs.said("outside")) == said_by(logs.said("no span")) == {}
        assert said_by(logs.said("still outside")) == {}  # that session is over

    @pytest.mark.parametrize("own", [{"session.id": "own"}, {"gen_ai.conversation.id": "own", "user.id": "own"}])
    def test_keep_what_they_bring(self, spans: Spans, logs: Logs, own: dict[str, str]) -> None:
        with session():
            logs.emit("here", attributes=own)
        assert said_by(logs.said("here")) == {**IDS, **own}

    def test_carry_them_where_it_is_not_sampled(self) -> None:
        with in_use(Spans(sampler=ALWAYS_OFF)), Logs().in_use() as logs:
            with session():
                logs.emit("here")
            assert said_by(logs.said("here")) == IDS
            assert logs.events("session.start") == []

    def test_of_an_inner_session_carry_the_inner_ids(self, spans: Spans, logs: Logs) -> None:
        with session():
            with ao.session(id="inner"):
                logs.emit("inner")
            logs.emit("outer")
        assert said_by(logs.said("inner")) == {"session.id": "inner"}
        assert said_by(logs.said("outer")) == IDS

    def test_of_a_span_that_outlives_it_carry_them(self, spans: Spans, logs: Logs) -> None:
        with session():
            span = spans.tracer.start_span("late")
        logs.emit("late", context=set_span_in_context(span, Context()))
        span.end()
        assert said_by(logs.said("late")) == IDS


class TestOutside:
    def test_carry_nothing(self, spans: Spans, logs: Logs) -> None:
        logs.emit("before")
        with session():
            pass
        logs.emit("after")
        with spans.tracer.start_as_current_span("request"):
            logs.emit("in a span")
        for body in ("before", "after", "in a span"):
            assert said_by(logs.said(body)) == {}

    def test_carry_nothing_in_a_context_that_outlives_its_session(self, spans: Spans, logs: Logs) -> None:
        with session() as ended:
            ended.end()
            logs.emit("after the end")
        assert said_by(logs.said("after the end")) == {}


class TestJoined:
    def test_carry_its_ids_with_and_without_a_span(self, spans: Spans, logs: Logs) -> None:
        with ao.join_session(CARRIER):
            logs.emit("no span")
            with spans.tracer.start_as_current_span("step"):
                logs.emit("in a span")
            logs.emit("no span again")
        logs.emit("after")
        for body in ("no span", "in a span", "no span again"):
            assert said_by(logs.said(body)) == IDS
            assert logs.said(body).trace_id == 0xA0A0
        assert said_by(logs.said("after")) == {}

    def test_carry_its_ids_without_a_trace(self, spans: Spans, logs: Logs) -> None:
        with ao.join_session({"baggage": CARRIER["baggage"]}):
            logs.emit("no span")
            with spans.tracer.start_as_current_span("step"):
                logs.emit("in a span")
        assert said_by(logs.said("no span")) == said_by(logs.said("in a span")) == IDS

    def test_carry_the_ids_of_plain_baggage(self, spans: Spans, logs: Logs) -> None:
        ao.configure(tracer_provider=spans.provider)  # nothing else of ours runs in such a service
        logs.emit("here", context=baggage.set_baggage("session.id", "s", Context()))
        logs.emit("garbage", context=baggage.set_baggage("session.id", "line\nbreak", Context()))
        assert said_by(logs.said("here")) == {"session.id": "s"}
        assert said_by(logs.said("garbage")) == {}


class TestProvider:
    """The global LoggerProvider, whenever it is set and whatever it exports with."""

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("batched", [False, True], ids=["at once", "batched"])
    def test_exports_the_ids_whenever_its_processors_were_added(self, spans: Spans, when: str, batched: bool) -> None:
        logs, exporter = Logs(), Logs().exporter
        added = BatchLogRecordProcessor(exporter) if batched else SimpleLogRecordProcessor(exporter)
        with logs.in_use():
            if when == "before":
                logs.provider.add_log_record_processor(added)
            with session():
                if when == "after":
                    logs.provider.add_log_record_processor(added)
                logs.emit("here")
            logs.provider.force_flush()
        logs.provider.shutdown()
        [found] = [done.log_record for done in exporter.get_finished_logs() if done.log_record.body == "here"]
        assert said_by(found) == said_by(logs.said("here")) == IDS

    def test_shows_the_ids_to_every_processor(self, spans: Spans, logs: Logs) -> None:
        before, after = Kept(), Kept()
        logs.provider.add_log_record_processor(before)
        with session():
            logs.provider.add_log_record_processor(after)
            logs.emit("here")
        assert before.seen["here"] == after.seen["here"] == IDS

    def test_of_any_make_is_attached_to(self, spans: Spans) -> None:
        class Own(LoggerProvider):
            """Keeps its processors elsewhere."""

            def __init__(self) -> None:
                super().__init__(shutdown_on_exit=False)
                self.kept = Kept()
                chain: Any = self._multi_log_record_processor
                chain._log_record_processors = [self.kept]
                del chain._lock

            def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
                chain: Any = self._multi_log_record_processor
                chain._log_record_processors.insert(0, log_record_processor)

        logs = Logs()
        logs.provider = own = Own()
        logs.logger = own.get_logger("tests")
        with logs.in_use(), session():
            logs.emit("here")
        assert own.kept.seen["here"] == IDS

    def test_is_attached_to_once(self, spans: Spans, logs: Logs) -> None:
        added: list[LogRecordProcessor] = []
        logs.provider.add_log_record_processor = added.append  # type: ignore[assignment, method-assign]
        for _ in range(3):
            with session(), session():
                pass
            runtime.release()
            ao.configure(tracer_provider=spans.provider)
        assert [type(processor) for processor in added] == [TrackingLogProcessor]

    def test_that_is_set_after_the_first_session_is_found_by_the_next(self, spans: Spans) -> None:
        logs = Logs()
        with session(), logs.in_use():
            logs.emit("early")
            with ao.session(id="next"):
                logs.emit("next")
        assert said_by(logs.said("next")) == {"session.id": "next"}
        assert said_by(logs.said("early")) == {}

    def test_that_takes_the_place_of_another_is_found_too(self, spans: Spans) -> None:
        first, second = Logs(), Logs()
        for logs in (first, second):
            with logs.in_use(), session():
                logs.emit("here")
        for logs in (first, second):
            assert said_by(logs.said("here")) == IDS
            assert len(logs.events("session.start")) == len(logs.events("session.end")) == 1

    def test_goes_on_with_what_is_no_record_of_the_sdk(
        self, spans: Spans, logs: Logs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("agentops_otel.shield.reraise", False)
        TrackingLogProcessor(runtime.registry).on_emit(object())
        with session():
            logs.emit("here")
        assert said_by(logs.said("here")) == IDS


def test_records_of_the_logging_module_carry_the_ids(spans: Spans, logs: Logs) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # moved to an instrumentation package; still the code
        from opentelemetry.sdk._logs import LoggingHandler

        handler = LoggingHandler(logger_provider=logs.provider)
    log = logging.getLogger("of the program")
    log.propagate = False
    log.addHandler(handler)
    try:
        with session():
            log.warning("in a session")
        log.warning("after it")
    finally:
        log.removeHandler(handler)
    said = said_by(logs.said("in a session"))
    assert {name: said[name] for name in IDS} == IDS
    assert not IDS.keys() & said_by(logs.said("after it")).keys()


def test_records_arrive_with_the_ids(deaths: Deaths) -> None:
    died = deaths.run("logs_in_a_session")
    assert died.quiet == (0, "")
    root = died.only_session(COMPLETED)
    said = {log.body: log for log in died.receiver.logs if log.body}
    for body, ids in (("before", None), ("in the session", "s"), ("in a span", "s"), ("after", None)):
        assert said[body].attributes.get("session.id") == ids
        assert said[body].trace_id == (root.trace_id if ids else None)
