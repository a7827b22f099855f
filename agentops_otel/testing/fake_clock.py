"""A clock for tests: time stands still until a test advances it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk import trace as sdk

from .. import clock
from ..runtime import runtime
from ..sessions import arguments
from .isolation import replaced, settle

START = 946_684_800.0
"""2000-01-01, midnight UTC, in seconds since the epoch."""

_ROUNDING = 1e-7
"""Seconds by which sums of floating-point times may be off."""


class SessionClock:
    """The time of sessions, of their limits and of the SDK's spans while it is in use; nothing else heeds it.

    To read it is thread-safe, to advance it is for one thread.
    """

    def __init__(self, start: float) -> None:
        # Nanoseconds, as integers: times are exact.
        self._start = round(start * 1e9)
        self._elapsed = 0
        # From the real one on, so that time does not run backwards in sessions that are open already.
        self._monotonic_start = self._monotonic = time.monotonic()

    def time_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds, from some moment on."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Lets so many seconds pass, at once; on the way each time limit ends its session at its own time.

        Returns when all that became due has been done. TypeError or ValueError for what is no positive number,
        RuntimeError when this clock is not, or no longer, in use.
        """
        if clock.monotonic != self.monotonic:
            raise RuntimeError("this clock is not in use")
        target = self._elapsed + round(arguments.seconds("seconds", seconds) * 1e9)
        monotonic_target = self._monotonic_start + target / 1e9
        settle()
        while (due := runtime.worker.next_timer()) is not None and due <= monotonic_target + _ROUNDING:
            # To the microsecond: further than that the floating-point times of limits are not exact.
            elapsed = round((due - self._monotonic_start) * 1e6) * 1000
            self._elapsed = min(target, max(self._elapsed, elapsed))
            self._monotonic = max(self._monotonic, due)
            runtime.worker.post(runtime.worker.fire_timers)
            settle()
        self._elapsed = target
        self._monotonic = max(self._monotonic, monotonic_target)


@contextmanager
def in_use(fake: SessionClock) -> Iterator[None]:
    """Sessions and spans get their time from ``fake`` in a block."""
    try:
        with replaced(clock, time_ns=fake.time_ns, monotonic=fake.monotonic), replaced(sdk, time_ns=fake.time_ns):
            yield
    finally:
        runtime.registry.attend()  # what is planned may be due in years by any other clock
