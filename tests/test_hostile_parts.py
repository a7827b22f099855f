"""Whatever the user's own span processor, exporter, sampler or id generator raises, sessions and programs go on.

Spans that a program starts and ends itself are its own: what these parts raise there is no business of sessions.
"""

from __future__ import annotations

import gc
import logging
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import Meter, MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from support import programs
from support.other_signals import Metrics
from support.spans import Spans, attributes, ending, in_use

import agentops_otel as ao
from agentops_otel import shield
from agentops_otel.runtime import runtime
from agentops_otel.sessions.recent import Recent


@pytest.fixture(autouse=True)
def _as_in_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shield, "reraise", False)
    monkeypatch.setattr(shield, "_said", set())


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """At most one line of a kind, whatever a test does."""
    yield caplog
    lines = [
        (record.getMessage(), record.exc_info and record.exc_info[0])
        for record in caplog.get_records("call")
        if record.name == "agentops_otel" and record.levelno > logging.DEBUG
    ]
    assert [line for line, times in Counter(lines).items() if times > 1] == []


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")

    __repr__ = __str__


class Fatal(BaseException):
    pass


ERRORS: list[type[Exception]] = [ValueError, Hostile, RuntimeError, StopIteration, OSError, RecursionError]
Method = Literal["on_start", "_on_ending", "on_end", "shutdown", "force_flush"]
OF_A_SPAN: list[Method] = ["on_start", "on_end"]
if hasattr(SpanProcessor, "_on_ending"):  # since SDK 1.40
    OF_A_SPAN.append("_on_ending")
METHODS: list[Method] = [*OF_A_SPAN, "shutdown", "force_flush"]


class Processor(SpanProcessor):
    """Raises in one of its methods, each time or where ``when(span)`` says so."""

    def __init__(
        self, method: Method, error: type[BaseException], when: Callable[[Any], bool] = lambda span: True
    ) -> None:
        self.method, self.error, self.when = method, error, when

    def _called(self, method: Method, span: Any = None) -> None:
        if method == self.method and self.when(span):
            raise self.error

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        self._called("on_start", span)

    def _on_ending(self, span: SdkSpan) -> None:
        self._called("_on_ending", span)

    def on_end(self, span: ReadableSpan) -> None:
        self._called("on_end", span)

    def shutdown(self) -> None:
        self._called("shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self._called("force_flush")
        return True


def is_root(span: ReadableSpan) -> bool:
    return span.parent is None


def live(spans: Spans, name: str = "s") -> None:
    """Sessions of every way to start and end one, with everything a program may do in between."""

    @ao.session(name)
    def function() -> None:
        pass

    @ao.session(name)
    def generator() -> Iterator[int]:
        yield 1

    with ao.session(name, tags=["a"], max_duration=3600) as session:
        session.set_attribute("k", 1)
        session.add_tags("b")
        session.record_exception(ValueError("recorded"))
        ao.current_session()
        with session.attach(), ao.session(name):
            pass
        assert repr(session)
        assert session.totals.errors == 0
    started = ao.start_session(name)
    started.end("error", flush=True, timeout=5)
    assert not started.is_open
    with pytest.raises(KeyError, match="own"), ao.session(name):
        raise KeyError("own")
    with suppress(KeyboardInterrupt), ao.session(name):
        raise KeyboardInterrupt
    function()
    list(generator())
    for _ in generator():
        break
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        ao.start_session(name)
        gc.collect()
        runtime.worker.settle(10)
    held = ao.start_session(name)
    ao.end_all_sessions()
    held.end()
    ao.flush(5)
    assert ao.open_sessions() == []
    assert ao.current_session() is None


LIVED = 10
"""Sessions in one `live`."""

Order = Literal["hostile", "exporter", "ours"]
ORDERS: list[tuple[Order, ...]] = [
    ("hostile", "exporter", "ours"),
    ("hostile", "ours", "exporter"),
    ("exporter", "hostile", "ours"),
    ("exporter", "ours", "hostile"),
    ("ours", "hostile", "exporter"),
    ("ours", "exporter", "hostile"),
]


def in_order(order: Sequence[Order], hostile: SpanProcessor) -> Spans:
    """Spans with these processors; ours is added by the first session where it is the last."""

    def make(name: Order) -> SpanProcessor:
        return hostile if name == "hostile" else ao.SessionSpanProcessor()

    exporter = order.index("exporter")
    after = order[exporter + 1 :] if order[-1] != "ours" else order[exporter + 1 : -1]
    return Spans(before=map(make, order[:exporter]), after=map(make, after))


class TestProcessors:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("order", ORDERS, ids="-".join)
    @pytest.mark.parametrize("error", ERRORS)
    def test_that_raise_break_nothing(self, method: Method, order: Sequence[Order], error: type[Exception]) -> None:
        with in_use(in_order(order, Processor(method, error))) as spans:
            live(spans)
            live(spans)

    @pytest.mark.parametrize(
        ("method", "order"),
        [
            # The SDK calls start and end in the order of adding, and stops at the first that raises.
            *(("on_start", order) for order in ORDERS if order.index("ours") < order.index("hostile")),
            *(("on_end", order) for order in ORDERS if order.index("exporter") < order.index("hostile")),
            *(("shutdown", order) for order in ORDERS),
            *(("force_flush", order) for order in ORDERS),
        ],
    )
    def test_that_raise_where_it_can_be_helped_cost_no_session(self, method: Method, order: Sequence[Order]) -> None:
        with in_use(in_order(order, Processor(method, ValueError))) as spans:
            live(spans)
            roots = spans.roots()
        assert len(roots) == LIVED
        assert Counter(ending(root)[1] for root in roots) == {
            "completed": 6,
            "exception": 1,
            "signal": 1,
            "cancelled": 1,
            "garbage_collected": 1,
        }

    @pytest.mark.parametrize("method", OF_A_SPAN)
    @pytest.mark.parametrize("order", ORDERS, ids="-".join)
    def test_that_raise_once_cost_one_session_at_most(self, method: Method, order: Sequence[Order]) -> None:
        raised: list[object] = []

        def first(span: object) -> bool:
            raised.append(span)
            return len(raised) == 1

        with in_use(in_order(order, Processor(method, ValueError, first))) as spans:
            with ao.session("first"):
                pass
            live(spans, "later")
            assert len([root for root in spans.roots() if root.name == "session later"]) == LIVED

    @pytest.mark.parametrize("order", ORDERS, ids="-".join)
    def test_that_raise_at_the_end_of_a_child_lose_no_session(self, order: Sequence[Order]) -> None:
        hostile = Processor("on_end", ValueError, lambda span: not is_root(span))
        with in_use(in_order(order, hostile)) as spans:
            with ao.session():
                with suppress(ValueError):
                    spans.tracer.start_span("child").end()
            with suppress(KeyboardInterrupt), ao.session():
                left_open = [spans.tracer.start_span("left open") for _ in range(3)]
                raise KeyboardInterrupt
            assert not any(span.is_recording() for span in left_open)
            assert [ending(root)[1] for root in spans.roots()] == ["completed", "signal"]

    def test_whose_shutdown_raises_let_sessions_end_before_it(self) -> None:
        with in_use(Spans(before=[Processor("shutdown", ValueError)])) as spans:
            session = ao.start_session()
            with pytest.raises(ValueError):
                spans.provider.shutdown()  # as it does without sessions
            assert not session.is_open
            assert ending(spans.root())[1] == "provider_shutdown"

    def test_whose_force_flush_raises_make_flush_say_no(self) -> None:
        with in_use(Spans(after=[Processor("force_flush", ValueError)])):
            assert ao.flush(5) is False

    def test_whose_force_flush_raises_keep_no_other_provider_from_its_flush(self) -> None:
        exporter = InMemorySpanExporter()
        other = Spans(after=[BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000)])
        with in_use(other), in_use(Spans(after=[Processor("force_flush", ValueError)])):
            with ao.session("here"):
                pass
            ao.configure(tracer_provider=other.provider)
            with ao.session("there"):
                pass
            assert ao.flush(5) is False
            assert [span.name for span in exporter.get_finished_spans()] == ["session there"]
        other.provider.shutdown()

    def test_that_write_to_the_ending_span_or_end_it_again_break_nothing(self) -> None:
        class Meddling(SpanProcessor):
            def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
                span.set_attribute("session.id", "meddled")
                span.update_name("meddled")

            def _on_ending(self, span: SdkSpan) -> None:
                span.set_attribute("late", 1)
                span.end()

            def on_end(self, span: ReadableSpan) -> None:
                pass

        with in_use(Spans(before=[Meddling()])) as spans:
            for _ in range(3):
                with ao.session(), spans.tracer.start_as_current_span("child"):
                    pass
            assert len(spans.all()) == 6

    def test_that_end_the_root_as_it_starts_break_nothing(self) -> None:
        class Ending(SpanProcessor):
            def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
                if is_root(span):
                    span.end()

        for spans in (Spans(before=[Ending()]), Spans(before=[ao.SessionSpanProcessor(), Ending()])):
            with in_use(spans):
                for _ in range(3):
                    with ao.session() as session:
                        session.set_attribute("k", 1)
                    assert not session.is_open
                assert len(spans.all()) == 3

    def test_that_start_sessions_and_spans_of_their_own_break_nothing(self) -> None:
        class Nested(SpanProcessor):
            busy = False

            def on_end(self, span: ReadableSpan) -> None:
                if not self.busy:
                    self.busy = True
                    with ao.session("of the processor"):
                        pass
                    ao.end_all_sessions()
                    self.busy = False

        with in_use(Spans(after=[Nested()])) as spans:
            with ao.session("outer"):
                with ao.session("inner"):
                    pass
            assert Counter(spans.names()) == {"session outer": 1, "session inner": 1, "session of the processor": 1}

    def test_that_drop_sessions_while_they_hold_the_lock_of_a_span_do_not_hang(self) -> None:
        class Dropping(SpanProcessor):
            held: ao.Session | None = None

            def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
                with span._lock:
                    self.held = None
                    gc.collect()

        dropping = Dropping()
        with in_use(Spans(before=[dropping])) as spans, warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            dropping.held = ao.start_session("held")
            with ao.session("other"):
                pass
            assert Counter(spans.names()) == {"session held": 1, "session other": 1}


class TestInterrupts:
    """What is no `Exception` (Ctrl-C while a processor exports) reaches the program; sessions stay in order."""

    @pytest.mark.parametrize("method", OF_A_SPAN)
    @pytest.mark.parametrize("order", ORDERS, ids="-".join)
    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Fatal])
    def test_reach_the_program_and_leave_no_session_behind(
        self, method: Method, order: Sequence[Order], error: type[BaseException]
    ) -> None:
        raised: list[object] = []

        def first(span: object) -> bool:
            raised.append(span)
            return len(raised) == 1

        with in_use(in_order(order, Processor(method, error, first))) as spans:
            with pytest.raises(error):
                with ao.session("first"):
                    pass
            assert ao.open_sessions() == []
            assert ao.current_session() is None
            assert not runtime.registry._ending  # or the exit waits for an end that nobody is writing any more
            live(spans, "later")
            assert len([root for root in spans.roots() if root.name == "session later"]) == LIVED

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.parametrize("error", [SystemExit, Fatal])
    def test_in_the_background_do_not_end_the_work_there(self, error: type[BaseException]) -> None:
        raised: list[object] = []

        def first(span: object) -> bool:
            raised.append(span)
            return len(raised) == 1

        with in_use(Spans(after=[Processor("on_end", error, first)])) as spans:
            for name in ("first", "second", "third"):
                ao.start_session(name)
                gc.collect()
                runtime.worker.settle(10)
                with ao.session():  # whatever has to be started again is started by the next session
                    pass
            assert runtime.worker.is_alive
            assert Counter(spans.names()) == {"session first": 1, "session second": 1, "session third": 1, "session": 3}


def test_spans_that_raise_when_they_are_asked_keep_nobody_from_noticing_others_that_were_dropped(spans: Spans) -> None:
    def ask() -> bool:
        raise Hostile

    # Both are looked after together, in any order.
    for _ in range(5):
        with ao.session():
            hostile = spans.tracer.start_span("hostile")
            hostile.is_recording = ask  # type: ignore[method-assign]
            with ao.session():
                spans.tracer.start_span("dropped")
                runtime.registry.attend()
                assert spans.names()[-1] == "dropped"
        del hostile.is_recording
        hostile.end()


class Exporter(SpanExporter):
    def __init__(self, error: type[BaseException] | None, result: Any = SpanExportResult.FAILURE) -> None:
        self.error, self.result = error, result

    def _called(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result: SpanExportResult = self._called()
        return result

    def shutdown(self) -> None:
        self._called()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return bool(self._called())


class TestExporters:
    @pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
    @pytest.mark.parametrize("first", [True, False])
    @pytest.mark.parametrize("error", [ValueError, Hostile, OSError, None])
    def test_that_raise_or_fail_cost_other_exporters_nothing(
        self, processor: Callable[[SpanExporter], SpanProcessor], first: bool, error: type[Exception] | None
    ) -> None:
        hostile = [processor(Exporter(error))]
        spans = Spans(before=hostile) if first else Spans(after=hostile)
        with in_use(spans):
            live(spans)
            assert len(spans.roots()) == LIVED
            session = ao.start_session()
            with suppress(Exception):
                spans.provider.shutdown()
            assert not session.is_open

    @pytest.mark.parametrize("result", [None, 17, "yes", object()])
    def test_that_answer_nonsense_break_nothing(self, result: Any) -> None:
        with in_use(Spans(before=[SimpleSpanProcessor(Exporter(None, result))])) as spans:
            live(spans)
            assert len(spans.roots()) == LIVED


class Sampling(Sampler):
    """Raises, or gives nonsense, for the spans that ``when`` says."""

    def __init__(self, answer: Any, when: Literal["always", "roots", "children"]) -> None:
        self.answer, self.when = answer, when

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if self.when == "always" or (name == "child") is (self.when == "children"):
            if isinstance(self.answer, type):
                raise self.answer
            return self.answer  # type: ignore[no-any-return]
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "hostile"


class TestSamplers:
    @pytest.mark.parametrize("answer", [*ERRORS, None, 17, "yes", SamplingResult(None)], ids=repr)  # type: ignore[arg-type]
    @pytest.mark.parametrize("when", ["always", "roots"])
    @pytest.mark.parametrize("is_parent_based", [True, False])
    def test_that_raise_or_answer_nonsense_for_roots_break_nothing(
        self, answer: Any, when: Literal["always", "roots"], is_parent_based: bool
    ) -> None:
        sampler: Sampler = Sampling(answer, when)
        with in_use(Spans(sampler=ParentBased(sampler) if is_parent_based else sampler)) as spans:
            live(spans)
            live(spans)
            assert spans.roots() == []

    @pytest.mark.parametrize("error", ERRORS)
    def test_that_raise_for_children_raise_in_the_call_of_the_program(self, error: type[Exception]) -> None:
        with in_use(Spans(sampler=Sampling(error, "children"))) as spans:
            with ao.session() as session:
                with pytest.raises(error):
                    spans.tracer.start_span("child")
                assert ao.current_session() is session
            assert ending(spans.root())[1] == "completed"
            live(spans)

    def test_that_pass_no_attributes_on_cost_the_root_none_of_its_own(self) -> None:
        # By the specification a sampler gives attributes to add; the SDK takes them in place of those it was given.
        with in_use(Spans(sampler=Sampling(SamplingResult(Decision.RECORD_AND_SAMPLE), "always"))) as spans:
            with ao.session(id="s", conversation_id="c", attributes={"k": 1}):
                pass
            said = attributes(spans.by_name("session"))
            assert said["session.id"] == "s"
            assert said["gen_ai.operation.name"] == "session"
            assert said["gen_ai.conversation.id"] == "c"
            assert said["k"] == 1
            assert said["code.file.path"] == __file__

    def test_that_record_without_sampling_break_nothing(self) -> None:
        sampler = Sampling(SamplingResult(Decision.RECORD_ONLY), "always")
        with in_use(Spans(sampler=sampler)) as spans:
            live(spans)
            with ao.session(), spans.tracer.start_as_current_span("child"):
                pass
            assert spans.all() == []


class Ids(IdGenerator):
    def __init__(self, trace_id: Callable[[], Any], span_id: Callable[[], Any]) -> None:
        self._trace_id, self._span_id = trace_id, span_id

    def generate_trace_id(self) -> int:
        return self._trace_id()  # type: ignore[no-any-return]

    def generate_span_id(self) -> int:
        return self._span_id()  # type: ignore[no-any-return]


def constant(value: Any) -> Callable[[], Any]:
    def generate() -> Any:
        if isinstance(value, type):
            raise value
        return value

    return generate


GOOD = RandomIdGenerator()
GARBAGE: list[Any] = [ValueError, Hostile, 0, -1, 2**128, 2**200, None, "id", 1.5, b"id", [1]]


class TestIdGenerators:
    @pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
    @pytest.mark.parametrize("which", ["trace", "span", "both"])
    def test_that_raise_or_make_garbage_break_nothing(self, garbage: Any, which: str) -> None:
        trace_id = GOOD.generate_trace_id if which == "span" else constant(garbage)
        span_id = GOOD.generate_span_id if which == "trace" else constant(garbage)
        with in_use(Spans(id_generator=Ids(trace_id, span_id))) as spans:
            live(spans)
            live(spans)

    @pytest.mark.parametrize("which", ["trace", "span", "both"])
    def test_that_repeat_themselves_lose_no_session(self, which: str) -> None:
        trace_id = GOOD.generate_trace_id if which == "span" else constant(7)
        span_id = GOOD.generate_span_id if which == "trace" else constant(8)
        with in_use(Spans(id_generator=Ids(trace_id, span_id))) as spans:
            live(spans)
            assert len(spans.roots()) == LIVED

    def test_seeded_random_numbers_lose_no_session(self) -> None:
        # The generator of the SDK uses the random numbers of the program, and programs seed them.
        state = random.getstate()
        try:
            with in_use(Spans()) as spans:
                random.seed(1)
                outer = ao.start_session("outer")
                random.seed(1)
                inner = ao.start_session("inner")
                outer.end("error")
                assert inner.is_open
                assert ao.open_sessions() == [inner]
                inner.end("success")
                assert [(root.name, ending(root)[0]) for root in spans.roots()] == [
                    ("session outer", "error"),
                    ("session inner", "success"),
                ]
        finally:
            random.setstate(state)

    def test_spans_of_sessions_with_one_trace_id_carry_an_id_of_theirs(self) -> None:
        with in_use(Spans(id_generator=Ids(constant(7), GOOD.generate_span_id))) as spans:
            for name in ("first", "second"):
                with ao.session(id=name):
                    spans.tracer.start_span(name).end()
            for name in ("first", "second"):
                assert attributes(spans.by_name(name))["session.id"] == name


class Store:
    """Raises in one of its methods."""

    def __init__(self, method: str, error: type[Exception]) -> None:
        self.method, self.error = method, error

    def put(self, session_id: str, carrier: object) -> None:
        if self.method == "put":
            raise self.error

    def get(self, session_id: str) -> None:
        if self.method == "get":
            raise self.error


@pytest.fixture
def recent(monkeypatch: pytest.MonkeyPatch) -> Recent:
    recent = Recent(runtime.worker)
    monkeypatch.setattr(runtime.registry, "recent", recent)
    return recent


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", ["put", "get"])
def test_session_stores_that_raise_break_nothing(recent: Recent, method: str, error: type[Exception]) -> None:
    with in_use(Spans()) as spans:
        ao.configure(store=Store(method, error))
        live(spans)
        with ao.session(previous_id="unknown"):
            ao.record_score("unknown", "helpful", 1)
        assert len(spans.roots()) == LIVED + 1
        assert spans.by_name("gen_ai.evaluation.result").parent is None


class Instrument:
    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def add(self, *arguments: Any) -> None:
        raise self.error

    record = add


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", ["create_counter", "create_histogram", "create_observable_up_down_counter", "none"])
def test_meters_that_raise_break_nothing(method: str, error: type[Exception]) -> None:
    class Hostile(Meter):
        def _create(self, name: str) -> Any:
            if name == method:
                raise error
            return Instrument(error)

        def create_counter(self, *arguments: Any, **named: Any) -> Any:
            return self._create("create_counter")

        def create_histogram(self, *arguments: Any, **named: Any) -> Any:
            return self._create("create_histogram")

        def create_observable_up_down_counter(self, *arguments: Any, **named: Any) -> Any:
            return self._create("create_observable_up_down_counter")

    class Provider(MeterProvider):
        def get_meter(self, name: str, *arguments: Any, **named: Any) -> Any:
            meter = super().get_meter(name)
            meter.__class__ = Hostile
            return meter

    measured = Metrics()
    measured.provider = Provider(shutdown_on_exit=False)
    with measured.in_use(), in_use(Spans()) as spans:
        live(spans)
        assert len(spans.roots()) == LIVED


LOGS = """
import gc, logging, sys, warnings
import agentops_otel as ao
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs._internal import LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

logging.basicConfig(format="%(name)s: %(message)s")
warnings.simplefilter("ignore")
what = sys.argv[1]

class Hostile(LogRecordProcessor):
    def on_emit(self, record):
        if what == "on_emit": raise ValueError
    def shutdown(self):
        if what == "shutdown": raise ValueError
    def force_flush(self, timeout_millis=30000):
        if what == "force_flush": raise ValueError
        return True

class Provider(LoggerProvider):
    def get_logger(self, *args, **kwargs):
        if what == "get_logger": raise ValueError
        return super().get_logger(*args, **kwargs)

provider, exporter = TracerProvider(), InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(exporter))
logger_provider = Provider()
logger_provider.add_log_record_processor(Hostile())
_logs.set_logger_provider(logger_provider)
ao.configure(tracer_provider=provider)
for number in range(3):
    with ao.session() as session:
        session.record_exception(ValueError("recorded"))
    try:
        with ao.session(): raise KeyError
    except KeyError: pass
    ao.start_session()
    gc.collect()
    ao.flush()
assert ao.open_sessions() == []
print(len(exporter.get_finished_spans()))
ao.start_session()
"""


@pytest.mark.parametrize("what", ["on_emit", "shutdown", "force_flush", "get_logger"])
@pytest.mark.parametrize("opt_in", ["", "logs", "logs/dup"])
def test_log_processors_and_providers_that_raise_break_nothing(what: str, opt_in: str) -> None:
    outcome = programs.run(["-c", LOGS, what], {"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": opt_in})
    assert (outcome.returncode, outcome.stdout) == (0, "9\n"), outcome.stderr
    ours = Counter(line for line in outcome.stderr.splitlines() if line.startswith("agentops_otel:"))
    assert [line for line, times in ours.items() if times > 1] == []


def test_one_log_line_tells_what_failed(log: pytest.LogCaptureFixture) -> None:
    with in_use(Spans(after=[Processor("on_end", ValueError)])):
        for _ in range(10):
            with ao.session():
                pass
    [line] = [record for record in log.records if record.name == "agentops_otel"]
    assert line.levelname == "WARNING"
    assert line.getMessage().startswith("failed while ending the root span of a session")
    assert line.exc_info is not None
    assert line.exc_info[0] is ValueError
    assert sys.exc_info() == (None, None, None)
