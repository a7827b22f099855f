"""Time limits of a session, where the user set some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import clock

if TYPE_CHECKING:
    from .worker import Timer


class Limits:
    """When a session is over by the clock. Times are seconds of `clock.monotonic`."""

    __slots__ = ("_idle", "_last_activity", "_latest", "timer")

    def __init__(self, idle_timeout: float | None, max_duration: float | None) -> None:
        now = clock.monotonic()
        self._idle = idle_timeout
        self._latest = None if max_duration is None else now + max_duration
        self._last_activity = now
        self.timer: Timer | None = None

    def touch(self) -> None:
        """Something happened in the session."""
        self._last_activity = clock.monotonic()

    def deadline(self) -> float:
        """The time at which, as far as is known now, the session is over."""
        times = []
        if self._idle is not None:
            times.append(self._last_activity + self._idle)
        if self._latest is not None:
            times.append(self._latest)
        return min(times)
