"""What the processors of the SDK have taken for export and not yet handed to their exporters.

This runs for every span, in finalizers too, so nothing here waits for a lock: what threads share are single
operations on sets and dicts. Only integers are in them, so to look something up runs no Python code.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
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

    def took(self, span_ids: Sequence[int]) -> Taken:
        """It hands over a batch."""

    def doubts(self, span_id: int) -> bool:
        """Whether the processor may still have a span that a batch has passed."""

    def ask(self) -> Collection[int]:
        """Has the processor hand over all it has, so not with a lock held; what is in doubt after it is lost."""

    def decide(self, asked: Collection[int]) -> Sequence[int]:
        """What of it is lost."""

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
        self.inside: set[int] = set()
        """Spans that threads are giving to the processor, until it exports them."""

    def took(self, span_ids: Sequence[int]) -> Taken:
        taken = [span_id for span_id in span_ids if span_id in self.inside]
        self.inside.difference_update(taken)
        return Taken(taken, taken, ())

    def doubts(self, span_id: int) -> bool:
        return False

    def ask(self) -> Collection[int]:
        return ()

    def decide(self, asked: Collection[int]) -> Sequence[int]:
        return ()

    def rest(self) -> Sequence[int]:
        return ()


class QueueFeed:
    """A `BatchSpanProcessor`: a queue that forgets its oldest span when it is full, and says of none which.

    A span that was taken before one that is exported, and is not exported with it, was forgotten; or its thread was
    stopped between us and the queue, and it comes later. It is in doubt as long as a thread is inside with it, and
    then until a span is exported that was taken after that: the queue keeps its order.
    """

    is_direct = False

    def __init__(self, sink: Sink, processor: Any) -> None:
        self.sink = sink
        self._processor = weakref.ref(processor)
        size = getattr(getattr(processor, "_batch_processor", None), "_max_queue_size", _ROOM)
        self.most = 2 * size + _MARGIN
        """More than the queue and a batch can hold: where an exporter hangs, `queued` must not grow for ever."""
        self.forget()

    def forget(self) -> None:
        self.inside: set[int] = set()
        """Spans that threads are giving to the processor."""
        self.queued: dict[int, None] = {}
        """Those that it took and that no batch has passed, in that order."""
        self._passed = 0
        """How many have left `queued`."""
        self._doubtful: dict[int, int | None] = {}
        """Spans that a batch has passed: what `_passed` must exceed to decide; None while a thread is inside."""

    def took(self, span_ids: Sequence[int]) -> Taken:
        batch = set(span_ids)
        late = batch & self._doubtful.keys()
        self._are_decided(late)
        missing = batch & self.queued.keys()
        of_batch = [*late, *missing]
        passed = []
        while missing := missing & self.queued.keys():  # one may have been let go as `overflow`
            for span_id in list(islice(self.queued, len(missing))):
                self.queued.pop(span_id, None)
                passed.append(span_id)
        self._passed += len(passed)
        lost = [span_id for span_id, until in self._doubtful.items() if until is not None and until < self._passed]
        self._are_decided(lost)
        inside = [span_id for span_id, until in self._doubtful.items() if until is None]
        for span_id in [*inside, *(span_id for span_id in passed if span_id not in batch)]:
            is_inside = span_id in self.inside
            self._doubtful[span_id] = None if is_inside else self._passed + len(self.queued)
        return Taken(of_batch, passed, lost)

    def overflow(self) -> Sequence[int]:
        """Lets the oldest go; the processor has lost them long ago."""
        lost = list(islice(self.queued, max(0, len(self.queued) - self.most)))
        for span_id in lost:
            self.queued.pop(span_id, None)
        self._passed += len(lost)
        return lost

    def doubts(self, span_id: int) -> bool:
        return span_id in self._doubtful

    def ask(self) -> Collection[int]:
        asked = self._doubtful.keys() - self.inside
        processor = self._processor()
        is_asked = bool(asked) and processor is not None and processor.force_flush() is not False
        return asked if is_asked else ()

    def decide(self, asked: Collection[int]) -> Sequence[int]:
        lost = [span_id for span_id in asked if span_id in self._doubtful]
        self._are_decided(lost)
        return lost

    def rest(self) -> Sequence[int]:
        rest = [*self._doubtful, *self.queued]
        self._doubtful.clear()
        self.queued.clear()
        return rest

    def _are_decided(self, span_ids: Iterable[int]) -> None:
        for span_id in span_ids:
            self._doubtful.pop(span_id, None)
