"""What the journal costs: on the path of spans, on disk, and when somebody has to read it again."""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.pipelines import nested_children, provider
from benchmarks.run import Row
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.util.types import AttributeValue

import agentops_otel as ao
from agentops_otel.journal.places import Place
from agentops_otel.journal.recovery import Summary, recover
from agentops_otel.journal.verdicts import Verdict
from agentops_otel.journal.writer import Journal

SPANS = 100_000


def beside_a_busy_thread() -> Row:
    """Wall time of sessions while another thread computes, with the journal against without; each span is a sixth."""
    ours = provider(batch=250_000)
    tracer = ours.get_tracer("ours")

    def sessions(count: int = 60) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            with ao.session("x"):
                nested_children(tracer)
        return (time.perf_counter() - begin) / count / 6 * 1e6

    times: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as directory, _busy():
        for turn in range(32):
            pair = []
            for journal in (False, directory):
                ao.configure(tracer_provider=ours, signals=False, journal=journal)
                sessions(1)  # the first makes the file
                pair.append(sessions())
                ours.force_flush()
            if turn >= 2:
                times.append((pair[0], pair[1]))
        ao.configure(journal=False)
    ours.shutdown()
    off, on = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(with_journal / without for without, with_journal in times)
    return Row(
        "a span beside a busy thread, journal on against off", f"{off:.0f} µs off", f"{on:.0f} µs", ratio, "", 1.5
    )


def recovery_of_100_000_spans() -> Row:
    """Reading and rebuilding what a dead process left, to an exporter that takes it at once."""
    with _left_behind() as (place, size):
        [files] = place.dead()
        begin = time.perf_counter()
        summary = recover(files, [_Taking()])
        seconds = time.perf_counter() - begin
    assert summary.sent == SPANS
    return Row(
        f"recovery of {SPANS:,} spans ({size / SPANS:.0f} bytes each on disk)",
        "",
        f"{SPANS / seconds:,.0f} a second",
        seconds,
        " s",
        30.0,
    )


def memory_of_recovery() -> Row:
    """The most that recovery has in memory at once, the content of one file included."""
    with _left_behind() as (place, size):
        [files] = place.dead()
        tracemalloc.start()
        summary: Summary = recover(files, [_Taking()])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert summary.sent == SPANS
    on_disk, in_memory = size / 2**20, most / 2**20
    return Row(
        "memory of that recovery", f"{on_disk:.0f} MiB on disk", f"{in_memory:.0f} MiB", in_memory, " MiB", 100.0
    )


class _Taking:
    """An exporter of the kind that the journal names."""

    key = "taking"

    def send(self, spans: Sequence[ReadableSpan]) -> Verdict:
        return Verdict.DELIVERED


@contextmanager
def _left_behind() -> Iterator[tuple[Place, int]]:
    """A place with the journal of a process that is dead; and its size."""
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        child = os.fork()
        if child == 0:
            _write(place)
            os._exit(0)
        os.waitpid(child, 0)
        yield place, sum(path.stat().st_blocks * 512 for path in Path(directory).iterdir())


def _write(place: Place) -> None:
    journal = Journal(place, "", os.getpid(), lambda seconds, job: None)
    sink = journal.sink(_Taking.key)
    tracer = provider().get_tracer("left")
    attributes: dict[str, AttributeValue] = {
        "session.id": "x" * 32,
        "server.address": "127.0.0.1",
        "http.request.method": "POST",
        "n": 1,
    }
    for _ in range(SPANS):
        span = tracer.start_span("step", attributes=attributes)
        assert isinstance(span, ReadableSpan)
        journal.started(span, is_root=False)
        span.end()
        journal.accepted(span, span.context.span_id, sink)


@contextmanager
def _busy() -> Iterator[None]:
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
