"""What the processors of the SDK have taken for export and not yet handed to their exporters.

This runs for every span, in finalizers too, so nothing here waits for a lock: what threads share are single
operations on deques, sets and dicts. Only integers are in them, so to look something up runs no Python code.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from .sink import Sink

_ROOM: Final = 2**17
"""Spans that a processor may hold where it does not say how many it does."""

_MARGIN: Final = 1024


class Taken(NamedTuple):
    """What a batch says of the spans that a processor has taken."""

    of_batch: Sequence[int]
    """Those that are in it."""
    passed: Sequence[int]
    """Those that are now out of the processor, in the order in which it took them; some of the batch may have been
    passed before."""
    lost: Sequence[int]
    """Those of which it is now certain that its queue was full."""


class Feed(Protocol):
    """A processor, as seen from its exporter."""

    sink: Sink
    is_direct: bool
    """Whether it exports where spans end."""

    def entered(self, span_id: int) -> Sequence[int]:
        """The processor is being given a span; returns those that it must have lost by now."""

    def left(self, span_id: int) -> bool:
        """It has been given the span; true if it has let it go at once."""

    def took(self, span_ids: Sequence[int]) -> Taken:
        """It hands over a batch."""

    def doubts(self, span_id: int) -> bool:
        """Whether the processor may still have a span that a batch has passed."""

    def ask(self) -> Sequence[int]:
        """Has the processor hand over all it has; returns what turns out to be lost. Not with a lock held."""

    def rest(self) -> Sequence[int]:
        """What it has never handed over; for the end."""

    def forget(self) -> None:
        """Starts anew, in a forked child."""


class DirectFeed:
    """A `SimpleSpanProcessor`: exports each span before its `on_end` returns."""

    is_direct = True

    def __init__(self, sink: Sink, processor: object) -> None:
        self.sink = sink
        self.forget()

    def forget(self) -> None:
        self._inside: set[int] = set()

    def entered(self, span_id: int) -> Sequence[int]:
        self._inside.add(span_id)
        return ()

    def left(self, span_id: int) -> bool:
        if span_id not in self._inside:
            return False
        self._inside.discard(span_id)
        return True

    def took(self, span_ids: Sequence[int]) -> Taken:
        taken = [span_id for span_id in span_ids if span_id in self._inside]
        self._inside.difference_update(taken)
        return Taken(taken, taken, ())

    def doubts(self, span_id: int) -> bool:
        return False

    def ask(self) -> Sequence[int]:
        return ()

    def rest(self) -> Sequence[int]:
        return ()


class QueueFeed:
    """A `BatchSpanProcessor`: a queue that forgets its oldest span when it is full, and says of none which.

    A span that was taken before one that is exported, and is not exported with it, was forgotten; or its thread was
    stopped between us and the queue, and it comes later. It is in doubt as long as a thread was inside with it when a
    batch passed it, and until a span is exported that was taken after that: the queue keeps its order.
    """

    is_direct = False

    def __init__(self, sink: Sink, processor: Any) -> None:
        self.sink = sink
        self._processor = weakref.ref(processor)
        # More than the queue and a batch hold: where an exporter hangs, this must not grow for ever.
        size = getattr(getattr(processor, "_batch_processor", None), "_max_queue_size", _ROOM)
        self._most = 2 * size + _MARGIN
        self.forget()

    def forget(self) -> None:
        self._order: deque[int] = deque()
        self._queued: set[int] = set()
        """The same, to be looked up."""
        self._inside: set[int] = set()
        self._doubtful: dict[int, int | None] = {}
        """Until how many have been passed; None while a thread is inside with the span."""
        self._passed = 0

    def entered(self, span_id: int) -> Sequence[int]:
        self._inside.add(span_id)
        self._queued.add(span_id)
        self._order.append(span_id)
        return () if len(self._order) <= self._most else self._overflow()

    def left(self, span_id: int) -> bool:
        self._inside.discard(span_id)
        return False

    def took(self, span_ids: Sequence[int]) -> Taken:
        batch = set(span_ids)
        late = batch & self._doubtful.keys()
        for span_id in late:
            self._doubtful.pop(span_id, None)
        missing = batch & self._queued
        of_batch = [*late, *missing]
        passed = []
        skipped = []
        while missing and self._order:
            span_id = self._order.popleft()
            self._queued.discard(span_id)
            passed.append(span_id)
            if span_id in missing:
                missing.discard(span_id)
            else:
                skipped.append(span_id)
        self._passed += len(passed)
        lost = self._decide()
        for span_id in skipped:
            self._doubt(span_id)
        return Taken(of_batch, passed, lost)

    def doubts(self, span_id: int) -> bool:
        return span_id in self._doubtful

    def ask(self) -> Sequence[int]:
        asked = self._doubtful.keys() - self._inside
        processor = self._processor()
        if not asked or processor is None or processor.force_flush() is False:
            return ()
        lost = asked & self._doubtful.keys()
        self._are_lost(lost)
        return list(lost)

    def rest(self) -> Sequence[int]:
        rest = [*self._doubtful, *self._order]
        self._doubtful.clear()
        self._order.clear()
        self._queued.clear()
        return rest

    def _doubt(self, span_id: int) -> None:
        is_inside = span_id in self._inside
        self._doubtful[span_id] = None if is_inside else self._passed + len(self._order)

    def _decide(self) -> list[int]:
        lost = [span_id for span_id, until in self._doubtful.items() if until is not None and until < self._passed]
        self._are_lost(lost)
        for span_id in [span_id for span_id, until in self._doubtful.items() if until is None]:
            self._doubt(span_id)
        return lost

    def _overflow(self) -> list[int]:
        lost = []
        while len(self._order) > self._most:
            span_id = self._order.popleft()
            self._queued.discard(span_id)
            self._passed += 1
            lost.append(span_id)
        return lost

    def _are_lost(self, span_ids: Iterable[int]) -> None:
        for span_id in span_ids:
            self._doubtful.pop(span_id, None)
