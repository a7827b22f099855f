"""What is learned of exporters: which spans they are given, and what became of them. And that it changes nothing."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from support.otlp import Protocol, Receiver
from support.spans import poll

from agentops_otel import semconv, shield
from agentops_otel.journal.delivery import Delivery
from agentops_otel.journal.losses import Loss
from agentops_otel.journal.places import Place
from agentops_otel.journal.sink import Sink
from agentops_otel.journal.sinks import Sinks
from agentops_otel.journal.verdicts import Verdict
from agentops_otel.journal.writer import Journal
from agentops_otel.sessions.worker import Worker

MINE = {semconv.SESSION_ID: "a"}
NEVER = 3_600_000
"""Milliseconds: a batch is exported when a test flushes."""

processors = pytest.mark.parametrize(
    "processor", [SimpleSpanProcessor, lambda exporter: BatchSpanProcessor(exporter, schedule_delay_millis=NEVER)]
)


class Exporter(SpanExporter):
    """Keeps what it is given, and answers as it is told."""

    def __init__(self, answer: Any = SpanExportResult.SUCCESS) -> None:
        self.answer = answer
        self.got: list[str] = []
        self.is_shut = False

    def export(self, spans: Sequence[ReadableSpan]) -> Any:
        if self.is_shut:
            return SpanExportResult.FAILURE
        self.got += [span.name for span in spans]
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if inspect.isfunction(self.answer) else self.answer

    def shutdown(self) -> None:
        self.is_shut = True


class Here:
    """What looks after the exporters of this process."""

    def __init__(self, directory: Path) -> None:
        self.worker = Worker()
        self.worker.ensure()
        self.sinks = Sinks(self.worker, Journal(Place(directory), "", 1, lambda seconds, job: None))
        self.delivery = Delivery(self.sinks, self.worker)
        self.sinks.install()
        self._providers: list[TracerProvider] = []

    def provider(self, *processors: SpanProcessor) -> TracerProvider:
        provider = TracerProvider(shutdown_on_exit=False)
        for processor in processors:
            provider.add_span_processor(processor)
        self._providers.append(provider)
        return provider

    def waiting(self) -> int:
        assert self.sinks.journal is not None
        return self.sinks.journal.waiting_count()

    def lost(self) -> dict[Loss, int]:
        return self.sinks.losses.totals()

    def close(self) -> None:
        self.delivery.close()
        for provider in self._providers:
            provider.shutdown()
        self.sinks.uninstall()
        if self.sinks.journal is not None:
            self.sinks.journal.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    here = Here(tmp_path / "journal")
    yield here
    here.close()


def end_span(provider: TracerProvider, name: str = "span", **attributes: str) -> None:
    provider.get_tracer("tests").start_span(name, attributes=MINE | attributes).end()


# -- what became of spans -----------------------------------------------------------------------------------------


@processors
@pytest.mark.parametrize("answer", [SpanExportResult.SUCCESS, None, True])
def test_what_an_exporter_took_is_not_kept(here: Here, processor: Callable[..., SpanProcessor], answer: object) -> None:
    exporter = Exporter(answer)
    provider = here.provider(processor(exporter))
    end_span(provider)
    provider.force_flush()
    assert exporter.got == ["span"]
    assert here.waiting() == 0
    assert here.lost() == {}


@processors
def test_what_an_exporter_did_not_take_is_sent_again(here: Here, processor: Callable[..., SpanProcessor]) -> None:
    exporter = Exporter(SpanExportResult.FAILURE)
    provider = here.provider(processor(exporter))
    end_span(provider)
    provider.force_flush()
    assert here.waiting() == 1
    exporter.answer = SpanExportResult.SUCCESS
    poll(lambda: here.waiting() == 0)
    assert set(exporter.got) == {"span"}
    assert here.lost() == {}


@processors
@pytest.mark.parametrize("error", [OSError("away"), ValueError("boom")])
def test_an_exception_of_an_exporter_reaches_the_processor_and_the_span_is_sent_again(
    here: Here,
    processor: Callable[..., SpanProcessor],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shield, "reraise", False)
    exporter = Exporter(error)
    provider = here.provider(processor(exporter))
    end_span(provider)
    provider.force_flush()
    assert here.waiting() == 1
    with pytest.raises(type(error), match=str(error)):
        exporter.export([a_span(provider)])
    poll(lambda: len(exporter.got) > 1)  # again, in vain
    assert here.waiting() == 1
    exporter.answer = SpanExportResult.SUCCESS
    poll(lambda: here.waiting() == 0)


@processors
def test_without_a_journal_what_was_not_exported_is_counted(
    here: Here, processor: Callable[..., SpanProcessor], caplog: pytest.LogCaptureFixture
) -> None:
    here.sinks.journal = None
    provider = here.provider(processor(Exporter(SpanExportResult.FAILURE)))
    for _ in range(3):
        end_span(provider)
        provider.force_flush()
    assert here.lost() == {Loss.NOT_EXPORTED: 3}
    here.close()
    ours = [record.getMessage() for record in caplog.records if record.name == "agentops_otel"]
    assert ours[-1] == "in all 3 spans lost: 3 not_exported"
    assert len(ours) == 2


@processors
def test_spans_of_no_session_are_not_kept_but_counted(here: Here, processor: Callable[..., SpanProcessor]) -> None:
    provider = here.provider(processor(Exporter(SpanExportResult.FAILURE)))
    provider.get_tracer("tests").start_span("of nobody").end()
    end_span(provider)
    provider.force_flush()
    assert here.waiting() == 1
    assert here.lost() == {Loss.NOT_EXPORTED: 1}


def test_spans_that_end_after_the_shutdown_are_counted_or_kept(here: Here) -> None:
    exporters = [Exporter(), Exporter()]
    provider = here.provider(
        SimpleSpanProcessor(exporters[0]), BatchSpanProcessor(exporters[1], schedule_delay_millis=NEVER)
    )
    tracer = provider.get_tracer("tests")
    mine, of_nobody = tracer.start_span("mine", attributes=MINE), tracer.start_span("of nobody")
    end_span(provider)
    provider.shutdown()
    assert [exporter.got for exporter in exporters] == [["span"], ["span"]]
    mine.end()
    of_nobody.end()
    assert here.waiting() == 1
    assert here.lost() == {Loss.NOT_EXPORTED: 2}


def test_what_a_processor_has_at_its_shutdown_is_counted(here: Here) -> None:
    here.sinks.journal = None
    exporter = Exporter()
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=NEVER)
    end_span(here.provider(processor))
    exporter.shutdown()
    assert here.lost() == {Loss.NOT_EXPORTED: 1}


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_a_full_queue_forgets_is_sent_from_the_journal_or_counted(here: Here, is_kept: bool) -> None:
    if not is_kept:
        here.sinks.journal = None
    exporter = Exporter()
    provider = here.provider(
        BatchSpanProcessor(exporter, max_queue_size=10, max_export_batch_size=10, schedule_delay_millis=NEVER)
    )
    end_span(provider, "first")
    provider.force_flush()
    [sink] = here.sinks.all()
    with sink.lock:  # the thread of the processor waits for it with the next batch
        for number in range(10):
            end_span(provider, f"span {number}")
        feeds = sink._feeds
        poll(lambda: not feeds[0].queued)  # type: ignore[attr-defined]
        for number in range(10, 50):
            end_span(provider, f"span {number}")
    provider.force_flush()
    here.delivery.flush(monotonic() + 20)
    names = [f"span {number}" for number in range(50)]
    if is_kept:
        assert sorted(exporter.got) == sorted(["first", *names])
        assert here.waiting() == 0
        assert here.lost() == {}
    else:
        assert exporter.got == ["first", *names[:10], *names[40:]]
        assert here.lost() == {Loss.QUEUE_FULL: 30}


def test_only_what_reaches_the_processor_itself_counts_as_taken(here: Here) -> None:
    class Filter(BatchSpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.name == "wanted":
                super().on_end(span)

    provider = here.provider(Filter(Exporter(SpanExportResult.FAILURE), schedule_delay_millis=NEVER))
    end_span(provider, "wanted")
    end_span(provider, "unwanted")
    provider.force_flush()
    assert here.waiting() == 1


# -- what an OTLP exporter says -----------------------------------------------------------------------------------


def otlp(receiver: Receiver, protocol: Protocol, timeout: float = 0.5) -> SpanExporter:
    if protocol == "grpc":
        return GrpcExporter(receiver.grpc_endpoint, insecure=True, timeout=timeout)
    return HttpExporter(f"{receiver.http_endpoint}/v1/traces", timeout=timeout)


def a_span(provider: TracerProvider) -> ReadableSpan:
    span = provider.get_tracer("tests").start_span("span")
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (None, Verdict.DELIVERED),
        *((status, Verdict.REFUSED) for status in (400, 401, 403, 404, 500)),
        *((status, Verdict.FAILED) for status in (429, 502, 503, 504)),
    ],
)
def test_the_specification_says_what_may_be_sent_again(
    here: Here, receiver: Receiver, protocol: Protocol, status: int | None, verdict: Verdict
) -> None:
    provider = here.provider(SimpleSpanProcessor(otlp(receiver, protocol)))
    receiver.status = status
    span = a_span(provider)
    [sink] = here.sinks.all()
    # More than once: some filters let the same words pass only the first time.
    assert [sink.send([span]) for _ in range(3)] == [verdict] * 3


def test_a_request_that_is_too_large_may_be_sent_in_parts(here: Here, receiver: Receiver) -> None:
    provider = here.provider(SimpleSpanProcessor(otlp(receiver, "http/protobuf")))
    span = a_span(provider)
    [sink] = here.sinks.all()
    receiver.most_spans = 3
    assert [(len(part), verdict) for part, verdict in sink.send_in_parts([span] * 10)] == [
        (2, Verdict.DELIVERED),
        (3, Verdict.DELIVERED),
        (2, Verdict.DELIVERED),
        (3, Verdict.DELIVERED),
    ]
    receiver.status = 413
    assert list(sink.send_in_parts([span])) == [([span], Verdict.REFUSED)]
    receiver.status, receiver.most_spans = 503, 0
    assert list(sink.send_in_parts([span] * 10)) == [([span] * 10, Verdict.FAILED)]


def test_a_message_beyond_the_limit_of_a_grpc_server_is_sent_in_parts(here: Here, receiver: Receiver) -> None:
    provider = here.provider(BatchSpanProcessor(otlp(receiver, "grpc"), schedule_delay_millis=NEVER))
    receiver.most_bytes = 4000
    for number in range(20):
        end_span(provider, f"span {number}", text="x" * 500)
    provider.force_flush()
    here.delivery.wake()
    poll(lambda: here.waiting() == 0, 60)
    assert sorted(span.name for span in receiver.spans) == sorted(f"span {number}" for number in range(20))
    assert here.lost() == {}


def test_what_the_user_silenced_stays_silent_and_what_not_does_not(
    here: Here, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 400
    provider = here.provider(SimpleSpanProcessor(otlp(receiver, "http/protobuf")))
    a_span(provider)
    [sink] = here.sinks.all()
    said = [record for record in caplog.records if record.getMessage().startswith("Failed to export")]
    assert len(said) == 1
    sink.send([a_span(provider)])  # its complaint has been heard once
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    try:
        before = len(caplog.records)
        assert sink.send([a_span(provider)]) is Verdict.REFUSED
        assert len([record for record in caplog.records[before:] if record.name.startswith("opentelemetry")]) == 0
    finally:
        logging.getLogger("opentelemetry").setLevel(logging.NOTSET)


def test_sending_is_not_instrumented(here: Here) -> None:
    seen = []
    exporter = Exporter(lambda: seen.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY)))
    span = a_span(here.provider(SimpleSpanProcessor(exporter)))
    [sink] = here.sinks.all()
    sink.send([span])
    assert seen == [True, True]


# -- exporters ----------------------------------------------------------------------------------------------------


def test_who_wants_to_know_is_told_of_each_exporter_once(here: Here) -> None:
    told: list[Sink] = []
    here.sinks.on_new.append(told.append)
    shared = Exporter()
    provider = here.provider(*(SimpleSpanProcessor(exporter) for exporter in (shared, Exporter(), shared)))
    assert here.sinks.all() == []
    end_span(provider)
    end_span(provider)
    here.worker.settle(10)
    here.provider(SimpleSpanProcessor(shared))
    plain = f"{Exporter.__module__}.Exporter"
    assert [sink.key for sink in told] == [plain, f"{plain}#2"]
    assert here.sinks.all() == told
    assert shared.got == ["span"] * 4


def test_an_exporter_in_the_place_of_one_that_is_shut_gets_what_that_one_left(here: Here) -> None:
    before = here.provider(SimpleSpanProcessor(Exporter(SpanExportResult.FAILURE)))
    end_span(before, "old")
    before.shutdown()
    exporter = Exporter()
    end_span(here.provider(SimpleSpanProcessor(exporter)), "new")
    poll(lambda: here.waiting() == 0)
    assert exporter.got == ["new", "old"]


def test_nothing_is_sent_to_an_exporter_that_is_shut(here: Here) -> None:
    exporter = Exporter(SpanExportResult.FAILURE)
    provider = here.provider(SimpleSpanProcessor(exporter))
    span = a_span(provider)
    [sink] = here.sinks.all()
    provider.shutdown()
    assert exporter.is_shut
    assert sink.send([span]) is Verdict.FAILED
    assert exporter.got == ["span"]
    assert here.sinks.all() == []


def test_an_exporter_that_cannot_be_wrapped_is_left_alone(here: Here) -> None:
    class Slots:
        __slots__ = ("got",)

        def __init__(self) -> None:
            self.got: list[str] = []

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            self.got += [span.name for span in spans]
            return SpanExportResult.FAILURE

        def shutdown(self) -> None:
            pass

    exporter: Any = Slots()
    provider = here.provider(SimpleSpanProcessor(exporter))
    end_span(provider)
    end_span(provider)
    assert exporter.got == ["span", "span"]
    assert here.sinks.all() == []
    assert here.waiting() == 0


def test_everything_is_given_back(here: Here) -> None:
    def own(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS

    here.sinks.uninstall()
    classes = [BatchSpanProcessor.on_end, SimpleSpanProcessor.on_end]
    names = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.exporter.otlp.proto.grpc.exporter")
    loggers = [(logging.getLogger(name).level, list(logging.getLogger(name).filters)) for name in names]
    plain, special = Exporter(), Exporter()
    special.export = own  # type: ignore[method-assign]
    parts: list[Any] = [plain, special, SimpleSpanProcessor(plain), BatchSpanProcessor(special)]
    before = [dict(vars(part)) for part in parts]
    here.sinks.install()
    provider = here.provider(*parts[2:])
    end_span(provider)
    assert [dict(vars(part)) for part in parts] != before
    here.sinks.uninstall()
    plain.got.clear()
    assert [dict(vars(part)) for part in parts] == before
    assert [BatchSpanProcessor.on_end, SimpleSpanProcessor.on_end] == classes
    assert [(logging.getLogger(name).level, logging.getLogger(name).filters) for name in names] == loggers
    end_span(provider)
    assert plain.got == ["span"]


def test_what_others_wrapped_since_stays_wrapped(here: Here) -> None:
    exporter = Exporter()
    provider = here.provider(SimpleSpanProcessor(exporter))
    end_span(provider)
    ours, seen = exporter.export, []

    def theirs(spans: Sequence[ReadableSpan]) -> Any:
        seen.append(len(spans))
        return ours(spans)

    exporter.export = theirs  # type: ignore[method-assign]
    here.sinks.uninstall()
    end_span(provider)
    assert seen == [1]
    assert exporter.got == ["span", "span"]


def test_what_others_wrapped_before_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Unlike the SDK's own, which does nothing but what is known here.
    own, seen = BatchSpanProcessor.on_end, []

    def theirs(processor: BatchSpanProcessor, span: ReadableSpan) -> None:
        seen.append(span.name)
        own(processor, span)

    monkeypatch.setattr(BatchSpanProcessor, "on_end", theirs)
    here, exporter = Here(tmp_path / "journal"), Exporter()
    provider = here.provider(BatchSpanProcessor(exporter, schedule_delay_millis=NEVER))
    end_span(provider)
    provider.force_flush()
    here.close()
    assert seen == exporter.got == ["span"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_sdk_still_sees_which_arguments_a_shutdown_takes(
    here: Here, receiver: Receiver, protocol: Protocol
) -> None:
    exporter = otlp(receiver, protocol)
    before = inspect.getfullargspec(exporter.shutdown)
    end_span(here.provider(BatchSpanProcessor(exporter, schedule_delay_millis=NEVER)))
    assert "shutdown" in vars(exporter)
    after = inspect.getfullargspec(exporter.shutdown)
    assert [name for name in after.args if name != "self"] == [name for name in before.args if name != "self"]


@processors
def test_a_span_may_end_while_its_own_thread_exports(here: Here, processor: Callable[..., SpanProcessor]) -> None:
    # As in a finalizer, or with an exporter that is instrumented.
    ended: list[bool] = []

    def answer() -> SpanExportResult:
        if not ended:
            ended.append(True)
            end_span(provider, "inner")
        return SpanExportResult.SUCCESS

    exporter = Exporter(answer)
    provider = here.provider(processor(exporter))
    end_span(provider, "outer")
    provider.force_flush()
    assert sorted(exporter.got) == ["inner", "outer"]
    assert here.waiting() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_forgets_what_its_parent_has_to_send(here: Here) -> None:
    exporter = Exporter(SpanExportResult.FAILURE)
    provider = here.provider(SimpleSpanProcessor(exporter))
    end_span(provider)
    [sink] = here.sinks.all()
    with sink.lock:  # a thread that is not in the child holds it
        child = os.fork()
        if not child:
            here.worker.in_child_after_fork()
            here.sinks.in_child_after_fork()
            here.delivery.in_child_after_fork()
            assert sink.lock.acquire(blocking=False)
            os._exit(sink.has_left())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sink.has_left()
