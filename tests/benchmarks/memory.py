"""What an open session weighs."""

from __future__ import annotations

import contextvars
import gc
import tracemalloc
from collections.abc import Callable

from benchmarks.pipelines import CONTENT, provider
from benchmarks.run import Row

import agentops_otel as ao

COUNT = 100_000


def bytes_per_open_session() -> Row:
    """100,000 open at once, each started in a context of its own as tasks do; the raw spans have the same content."""
    raw, ours = provider(), provider(batch=2 * COUNT)
    ao.configure(tracer_provider=ours, signals=False)
    tracer = raw.get_tracer("raw")
    raw_bytes = _bytes_each(
        lambda number: tracer.start_span("session x", attributes={**CONTENT, "session.id": f"{number:032x}"})
    )
    our_bytes = _bytes_each(lambda number: ao.start_session("x"))
    return Row("bytes per open session", f"{raw_bytes:.0f}", f"{our_bytes:.0f}", our_bytes / raw_bytes, "", 1.25)


def _bytes_each(start: Callable[[int], object]) -> float:
    contextvars.Context().run(start, 0)
    gc.collect()
    tracemalloc.start()
    held = [contextvars.Context().run(start, number) for number in range(COUNT)]
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(held)
