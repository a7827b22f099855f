"""Timing two things against each other in one process, in turn, so that a machine that slows down slows both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Medians in microseconds a call, and the median of the ratios of neighbouring rounds."""

    raw: float
    ours: float
    ratio: float


def compare(
    raw: Callable[[], object],
    ours: Callable[[], object],
    *,
    rounds: int = 30,
    calls: int = 200,
    between: Callable[[], object] = lambda: None,
) -> Comparison:
    """Times ``raw`` and ``ours`` in turn, after a warm-up of each.

    Between rounds, not in them, garbage is collected and ``between`` is called.
    """
    times: list[tuple[float, float]] = []
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + 2):
            # The order changes from round to round: whatever the first of a pair pays, both pay it.
            if turn % 2:
                second = _time(ours, calls)
                first = _time(raw, calls)
            else:
                first = _time(raw, calls)
                second = _time(ours, calls)
            if turn >= 2:
                times.append((first, second))
            between()
            gc.collect()
    finally:
        gc.enable()
    return Comparison(
        raw=statistics.median(first for first, _ in times),
        ours=statistics.median(second for _, second in times),
        ratio=statistics.median(second / first for first, second in times),
    )


def _time(call: Callable[[], object], calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begin) / calls * 1e6
