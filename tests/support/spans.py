"""What sessions in this process wrote: a provider of its own for each test, and what arrived at its exporter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

import agentops_otel as ao
from agentops_otel import semconv
from agentops_otel.runtime import runtime
from agentops_otel.testing.isolation import isolated, settle

_BETWEEN_LOOKS = 0.01
"""Seconds."""


class Spans:
    """Spans that have ended, in the order of their ends."""

    def __init__(
        self,
        *,
        sampler: Sampler = ALWAYS_ON,
        id_generator: IdGenerator | None = None,
        before: Iterable[SpanProcessor] = (),
        after: Iterable[SpanProcessor] = (),
    ) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, id_generator=id_generator, shutdown_on_exit=False)
        for processor in (*before, SimpleSpanProcessor(self.exporter), *after):
            self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("tests")

    def all(self) -> list[ReadableSpan]:
        """Everything that arrived, after what was dropped so far has been noticed."""
        settle()
        return list(self.exporter.get_finished_spans())

    def roots(self) -> list[ReadableSpan]:
        """The root spans of sessions."""
        return [
            span
            for span in self.all()
            if span.parent is None and attributes(span).get("gen_ai.operation.name") == "session"
        ]

    def root(self) -> ReadableSpan:
        """The one session."""
        [root] = self.roots()
        return root

    def by_name(self, name: str) -> ReadableSpan:
        """The one span of this name."""
        [span] = [span for span in self.all() if span.name == name]
        return span

    def names(self) -> list[str]:
        return [span.name for span in self.all()]

    def clear(self) -> None:
        settle()
        self.exporter.clear()


@contextmanager
def in_use(spans: Spans, choose: Callable[[trace.TracerProvider], object] | None = None) -> Iterator[Spans]:
    """Has sessions started with the provider of ``spans``; at the end no session may be open, and all is undone."""
    with isolated(lambda: (choose or _configure)(spans.provider)):
        yield spans
        settle()
        assert runtime.registry.open_records() == []
        assert ao.open_sessions() == []
        assert not trace.get_current_span().get_span_context().is_valid


def _configure(provider: trace.TracerProvider) -> None:
    ao.configure(tracer_provider=provider)


def forget_recent() -> None:
    """Has this process know no more of sessions that are over than another one."""
    runtime.registry.recent._young.clear()
    runtime.registry.recent._old.clear()


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def context_of(span: ReadableSpan | trace.Span) -> trace.SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def ending(root: ReadableSpan) -> tuple[str, str, str]:
    """End state, end reason and status of a session."""
    said = attributes(root)
    return said[semconv.END_STATE], said[semconv.END_REASON], root.status.status_code.name


def poll(condition: Callable[[], object], timeout: float = 20) -> None:
    """Waits until ``condition()`` is true; an AssertionError after ``timeout`` seconds in which this process runs.

    So many looks, and no clock: a machine that stood still has them, too.
    """
    for _ in range(round(timeout / _BETWEEN_LOOKS)):
        if condition():
            return
        time.sleep(_BETWEEN_LOOKS)
    assert condition(), "it did not come true in time"
