"""What was broken in the AgentOps SDK, and works here: a test for each."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from support import programs
from support.deaths import PROCESS_EXIT, SOON, Deaths, End, failed, signalled
from support.spans import Spans, attributes, context_of, ending, poll

import agentops_otel as ao
import agentops_otel.compat as agentops


def test_nested_traces_each_end(spans: Spans) -> None:
    outer = agentops.start_trace("outer")
    inner = agentops.start_trace("inner")
    agentops.end_trace(inner, "Fail")
    assert ao.current_session() == outer.session
    agentops.end_trace(outer, "Success")
    assert [(root.name, ending(root)[0]) for root in spans.roots()] == [
        ("session inner", "error"),
        ("session outer", "success"),
    ]


def test_nested_traces_each_end_also_the_outer_one_first(spans: Spans) -> None:
    outer = agentops.start_trace("outer")
    inner = agentops.start_trace("inner")
    agentops.end_trace(outer)
    assert ao.current_session() == inner.session
    agentops.end_trace(inner)
    assert ao.current_session() is None
    assert [root.name for root in spans.roots()] == ["session outer", "session inner"]


def test_a_session_is_a_true_root_even_inside_a_span(spans: Spans) -> None:
    @agentops.trace
    def run() -> None:
        pass

    with spans.tracer.start_as_current_span("request") as request:
        agentops.end_trace(agentops.start_trace("t"))
        agentops.start_session()
        agentops.end_session("Success")
        run()
    assert len(spans.roots()) == 3
    for root in spans.roots():
        assert context_of(root).trace_id != request.get_span_context().trace_id
        assert [link.context for link in root.links] == [request.get_span_context()]


class TestAnExceptionMarksError:
    def test_of_a_block(self, spans: Spans) -> None:
        with pytest.raises(ValueError, match="no"), agentops.start_trace("t"):
            raise ValueError("no")
        assert ending(spans.root()) == ("error", "exception", "ERROR")
        assert [event.name for event in spans.root().events] == ["exception"]

    def test_of_a_decorated_session(self, spans: Spans) -> None:
        @agentops.session
        def run() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            run()
        assert ending(spans.root()) == ("error", "exception", "ERROR")

    def test_of_a_decorated_operation(self, spans: Spans) -> None:
        @agentops.operation
        def run() -> None:
            raise ValueError("no")

        with agentops.start_trace("t"), pytest.raises(ValueError, match="no"):
            run()
        assert spans.by_name("task run").status.status_code.name == "ERROR"
        assert ending(spans.root())[0] == "success"


class StuckExporter(SpanExporter):
    """Does not come back before it is told to."""

    def __init__(self) -> None:
        self.is_free = threading.Event()
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        assert self.is_free.wait(20)
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def test_ending_never_blocks(spans: Spans) -> None:
    exporter = StuckExporter()
    spans.provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1))
    agentops.init(trace_name="whole")
    agentops.end_trace(agentops.start_trace("t"))
    agentops.end_session("Success")
    agentops.end_all_sessions()
    assert exporter.names == []
    exporter.is_free.set()
    poll(lambda: set(exporter.names) == {"session t", "session whole"})
    spans.provider.shutdown()


OWN_PROVIDER = """
import logging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

import agentops_otel.compat as agentops

agentops.init(exporter_endpoint="http://127.0.0.1:9/v1/traces")
agentops.end_session("Success")
assert trace.get_tracer_provider() is provider
print([span.name for span in exporter.get_finished_spans()])
"""


def test_the_tracer_provider_of_the_user_is_kept() -> None:
    outcome = programs.run(["-c", OWN_PROVIDER])
    assert (outcome.returncode, outcome.stdout) == (0, "['session default']\n"), outcome.stderr
    assert outcome.stderr == (
        "INFO exporter_endpoint has no effect: the TracerProvider that is set has exporters of its own\n"
    )


NOTHING_PATCHED = """
import builtins
before = builtins.print, builtins.__import__, builtins.open
import agentops_otel.compat
agentops_otel.compat.install()
import agentops
agentops.init()
agentops.start_trace("t")
agentops.end_all_sessions()
assert (builtins.print, builtins.__import__, builtins.open) == before
"""


def test_print_and_import_are_not_patched() -> None:
    exporters = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none")
    outcome = programs.run(["-c", NOTHING_PATCHED], exporters)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("decorate", [agentops.trace, agentops.operation])
def test_generators_end_when_abandoned(spans: Spans, decorate: object) -> None:
    @decorate  # type: ignore[operator]
    def count() -> Iterator[int]:
        yield 1
        yield 2

    generator = count()
    assert next(generator) == 1
    del generator
    gc.collect()
    poll(spans.all)
    [span] = spans.all()
    assert attributes(span)["agentops.session.end_reason"] == "cancelled"


@pytest.mark.parametrize("decorate", [agentops.trace, agentops.operation])
def test_async_generators_end_when_abandoned(spans: Spans, decorate: object) -> None:
    @decorate  # type: ignore[operator]
    async def count() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def first() -> int:
        async for item in count():
            return int(item)
        return 0

    assert asyncio.run(first()) == 1
    poll(spans.all)
    [span] = spans.all()
    assert attributes(span)["agentops.session.end_reason"] == "cancelled"


def test_a_decorated_class_ends_its_span(spans: Spans) -> None:
    @agentops.agent
    class Researcher:
        def work(self) -> str:
            return self.think()

        def think(self) -> str:
            return "done"

        @agentops.operation
        def search(self) -> None:
            pass

    researcher = Researcher()  # and it is kept
    with agentops.start_trace("t"):
        assert researcher.work() == "done"
        researcher.search()
    assert type(researcher) is Researcher
    assert spans.names() == ["invoke_agent Researcher", "task search", "session t"]


def test_a_decorated_class_ends_its_span_in_async_with(spans: Spans) -> None:
    @agentops.trace
    class Crew:
        async def work(self) -> int:
            return 1

    async def run() -> int:
        async with Crew() as crew:  # type: ignore[attr-defined]
            return int(await crew.work())

    with agentops.start_trace("t"):
        assert asyncio.run(run()) == 1
    assert spans.names() == ["invoke_workflow Crew", "session t"]


class TestOpenTracesSurviveTheExit:
    @pytest.mark.parametrize(
        ("how", "code", "end"),
        [
            ("return", 0, PROCESS_EXIT),
            ("sys.exit", 3, PROCESS_EXIT),
            ("exception", 1, failed("ValueError")),
            ("SIGTERM", -signal.SIGTERM, signalled(signal.SIGTERM)),
        ],
    )
    @pytest.mark.parametrize("started", ["init", "start_trace", "start_session"])
    def test_that_the_process_comes_to(self, deaths: Deaths, started: str, how: str, code: int, end: End) -> None:
        died = deaths.run("compat_open", started, how)
        assert died.returncode == code
        [root] = died.receiver.sessions()
        if started == "start_session":
            assert root.name == "session"
        else:
            died.check_all()
            assert root.name == "session agent"
        assert root.attributes["agentops.session.end_state"] == end.state
        assert root.attributes["agentops.session.end_reason"] == end.reason
        assert root.status == end.status

    def test_that_is_sudden(self, deaths: Deaths) -> None:
        with deaths.start("compat_open", "init", "SIGKILL") as program:
            program.wait_for_line("ready")
            program.send(signal.SIGKILL)
            program.wait()
        died = deaths.run("compat_open", "start_trace", "return", env=SOON)
        ends = sorted(root.attributes["agentops.session.end_reason"] for root in died.receiver.sessions())
        assert ends == ["process_exit", "process_lost"]
