"""The journal as a whole, in real programs, and in processes that wait for their first span."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support import journals
from support.deaths import COMPLETED, Deaths, Setup
from support.spans import poll

from agentops_otel.config import Config
from agentops_otel.journal import afterlife
from agentops_otel.journal.afterlife import Afterlife
from agentops_otel.sessions.registry import Registry
from agentops_otel.sessions.worker import Worker


@pytest.mark.parametrize("setup", ["configure", "by_hand", "own"])
def test_a_journal_may_be_switched_off_and_on(deaths: Deaths, setup: Setup) -> None:
    died = deaths.run("journal_switched", str(deaths.journal), setup=setup)
    assert died.quiet == (0, "")
    for name in ("before", "queued", "without", "with"):
        died.session(COMPLETED, name=name)
    assert os.listdir(deaths.journal) == []


def test_a_program_that_ends_well_leaves_nothing_behind(deaths: Deaths) -> None:
    deaths.run("nested").check_all()
    assert os.listdir(deaths.journal) == []


# -- before the first span ----------------------------------------------------------------------------------------


class Waiting:
    """A process that has no span yet."""

    def __init__(self, directory: Path) -> None:
        self.worker = Worker()
        self.providers: list[TracerProvider] = []
        settings = Config(journal=True, journal_directory=str(directory))
        self._afterlife = Afterlife(Registry(self.worker), settings, lambda: self.providers)

    def set_up(self, *processors: SpanProcessor, service: str = "dead") -> None:
        provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
        for processor in processors:
            provider.add_span_processor(processor)
        self.providers.append(provider)

    def has_looked_at(self, service: str) -> bool:
        return service in self._afterlife._services

    def knows_an_exporter(self) -> bool:
        return bool(self._afterlife._sinks.all())

    def recovers(self) -> bool:
        """Recovers what it was asked for; true if that is done."""
        self.worker.settle(20)
        return self._afterlife.flush(monotonic() + 20)

    def end(self) -> None:
        for provider in self.providers:
            provider.shutdown()
        self._afterlife.release()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def start(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Waiting]]:
    monkeypatch.setattr(afterlife, "_IDLE", 0.01)
    started: list[Waiting] = []

    def start() -> Waiting:
        started.append(Waiting(directory))
        return started[-1]

    yield start
    for process in started:
        process.end()


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def test_where_nobody_has_died_there_is_nothing_to_wait_for(directory: Path, start: Callable[[], Waiting]) -> None:
    assert not start().worker.is_alive
    journals.write(directory, [journals.span(1)])
    assert start().worker.is_alive


def test_what_a_dead_process_left_is_sent_as_soon_as_there_is_an_exporter(
    directory: Path, start: Callable[[], Waiting]
) -> None:
    class Filter(SpanProcessor):
        def __init__(self, inner: SpanProcessor) -> None:
            self.inner = inner

        def on_end(self, span: ReadableSpan) -> None:
            self.inner.on_end(span)

    name = InMemorySpanExporter.__qualname__
    key = f"{InMemorySpanExporter.__module__}.{name}"
    journals.write(directory, [journals.span(1)], sinks=[key, f"{key}#2"])
    process = start()
    process.set_up(service="has no exporter")
    poll(lambda: process.has_looked_at("has no exporter"))
    first, second = InMemorySpanExporter(), InMemorySpanExporter()
    process.set_up(Filter(SimpleSpanProcessor(first)), BatchSpanProcessor(second))
    poll(lambda: os.listdir(directory) == [])
    assert names(first) == names(second) == ["session 1"]


def test_what_another_service_left_is_left_to_it(directory: Path, start: Callable[[], Waiting]) -> None:
    journals.write(directory, [journals.span(1)])
    exporter, mine = InMemorySpanExporter(), InMemorySpanExporter()
    another = start()
    another.set_up(SimpleSpanProcessor(exporter), service="another")
    poll(another.knows_an_exporter)
    assert another.recovers()
    start().set_up(SimpleSpanProcessor(mine))
    poll(lambda: os.listdir(directory) == [])
    assert (names(exporter), names(mine)) == ([], ["session 1"])


def test_an_exporter_that_cannot_be_looked_at_is_left_alone(directory: Path, start: Callable[[], Waiting]) -> None:
    class Sealed:
        __slots__ = ()

        def export(self, spans: object) -> None:
            raise AssertionError("nobody asked for it")

        def shutdown(self) -> None: ...

    journals.write(directory, [journals.span(1)])
    process = start()
    process.set_up(SimpleSpanProcessor(Sealed()))  # type: ignore[arg-type]
    exporter = InMemorySpanExporter()
    process.set_up(SimpleSpanProcessor(exporter))
    poll(lambda: os.listdir(directory) == [])
    assert names(exporter) == ["session 1"]
