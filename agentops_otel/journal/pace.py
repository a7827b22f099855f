"""How fast what could not be delivered is sent again: not so that a collector that has just come back falls over."""

from __future__ import annotations

from typing import Final

from .. import clock

MOST_SPANS: Final = 512
"""Of a batch, as in the SDK's own."""

_FIRST: Final = 1.0
_LONGEST: Final = 60.0
"""Seconds between attempts."""


class Pace:
    """Of one exporter. After a failure half as much is tried, later; after a success twice as much.

    So while a collector is away it is asked with a span or two, and when it is back it does not get everything at once.
    """

    def __init__(self) -> None:
        self.most = MOST_SPANS
        """Spans to send in the next batch."""
        self.due = 0.0
        """When to send it, in seconds of `clock.monotonic`."""
        self._pause = 0.0
        self._failed_at: float | None = None

    def delivered(self) -> None:
        """A batch has arrived: also one that the program itself exported."""
        self.due = self._pause = 0.0
        self._failed_at = None

    def failed(self) -> None:
        """One has not. While the next attempt is waited for already, that is no news."""
        now = self._failed_at = clock.monotonic()
        if self.due <= now:
            self._pause = min(_LONGEST, 2 * self._pause or _FIRST)
            self.due = now + self._pause

    def failed_within(self, seconds: float) -> bool:
        """Whether the last batch has failed, so many seconds ago at the most."""
        return self._failed_at is not None and clock.monotonic() - self._failed_at <= seconds

    def wait(self) -> None:
        """The next batch cannot be sent yet, and nobody is to blame."""
        self.due = clock.monotonic() + _FIRST

    def faster(self) -> None:
        """Spans that were sent again have arrived."""
        self.most = min(MOST_SPANS, 2 * self.most)

    def slower(self, spans: int) -> None:
        """So many have not."""
        self.most = max(1, spans // 2)
