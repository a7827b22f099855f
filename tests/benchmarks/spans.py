"""What sessions cost on the path of spans."""

from __future__ import annotations

import contextvars
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.interleaved import Comparison, compare
from benchmarks.pipelines import CONTENT, END_CONTENT, RawBatch, model_calls, nested_children, provider
from benchmarks.run import Row
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from support.otlp import Receiver

import agentops_otel as ao


@contextmanager
def _pair(*, journal: bool = False) -> Iterator[tuple[TracerProvider, TracerProvider]]:
    """A raw provider, and one with sessions."""
    raw, ours = provider(batch=250_000, kind=RawBatch), provider(batch=250_000)
    with tempfile.TemporaryDirectory() as directory:
        ao.configure(tracer_provider=ours, signals=False, journal=directory if journal else False)
        yield raw, ours
        raw.shutdown()
        ours.shutdown()
        ao.configure(journal=False)


def session_with_children() -> Row:
    return _session("session of a root and 5 children: tracking, stamping, guard, totals", nested_children)


def session_with_model_calls() -> Row:
    return _session("the same, each child a call of a model: counted and priced by model", model_calls)


def session_with_journal() -> Row:
    return _session("the first with the journal of every span", nested_children, journal=True, at_most=1.6)


def _session(what: str, work: Callable[[trace.Tracer], object], *, journal: bool = False, at_most: float = 1.25) -> Row:
    with _pair(journal=journal) as (raw, ours):
        raw_tracer, our_tracer = raw.get_tracer("raw"), ours.get_tracer("ours")

        def raw_session() -> None:
            attributes = {**CONTENT, "session.id": "x" * 32}
            with raw_tracer.start_as_current_span("session x", attributes=attributes) as root:
                work(raw_tracer)
                root.set_attributes(END_CONTENT)

        def our_session() -> None:
            with ao.session("x"):
                work(our_tracer)

        result = compare(
            raw_session,
            our_session,
            rounds=60,
            calls=100,
            between=lambda: (raw.force_flush(), ours.force_flush()),
        )
    return _row(what, result, at_most)


def child_beside_100_000_open_sessions() -> Row:
    with _pair() as (raw, ours):
        raw_tracer, our_tracer = raw.get_tracer("raw"), ours.get_tracer("ours")
        with ao.session("x"):
            few = _child(raw, ours, raw_tracer, our_tracer)
            held = [contextvars.Context().run(ao.start_session, "open") for _ in range(100_000)]
            many = _child(raw, ours, raw_tracer, our_tracer)
        for session in held:
            session.end()
    return Row(
        "child span with 100,000 sessions open, against none",
        f"{few.ratio:.2f} of raw with none",
        f"{many.ratio:.2f} of raw with 100,000",
        many.ratio / few.ratio,
        "",
        1.3,
    )


def _child(raw: TracerProvider, ours: TracerProvider, raw_tracer: trace.Tracer, our_tracer: trace.Tracer) -> Comparison:
    return compare(
        lambda: nested_children(raw_tracer, 1),
        lambda: nested_children(our_tracer, 1),
        rounds=30,
        calls=500,
        between=lambda: (raw.force_flush(), ours.force_flush()),
    )


def end_with_a_slow_collector() -> Row:
    """``end()`` against the end of a raw span, with a collector that answers after 50 ms."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    with Receiver() as receiver:
        receiver.delay = 0.05
        raw, ours = (provider(OTLPSpanExporter(f"{receiver.http_endpoint}/v1/traces"), batch=64) for _ in range(2))
        ao.configure(tracer_provider=ours, signals=False)
        raw_tracer = raw.get_tracer("raw")
        times: list[tuple[float, float]] = []
        for _ in range(300):
            span = raw_tracer.start_span("session x", attributes=CONTENT)
            begin = time.perf_counter()
            span.end()
            middle = time.perf_counter()
            session = ao.start_session("x")
            again = time.perf_counter()
            session.end()
            times.append(((middle - begin) * 1e3, (time.perf_counter() - again) * 1e3))
        receiver.delay = 0
        raw.shutdown()
        ours.shutdown()
    first, second = (statistics.median(column) for column in zip(*times, strict=True))
    return Row(
        "`end()` with a collector that answers after 50 ms",
        f"{first:.3f} ms",
        f"{second:.3f} ms",
        second - first,
        " ms",
        1.0,
    )


def _row(what: str, result: Comparison, at_most: float) -> Row:
    return Row(what, f"{result.raw:.0f} µs", f"{result.ours:.0f} µs", result.ratio, "", at_most)
