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

_ROOM: Final = 2**16
"""Spans that may end while a thread is on its way with a batch."""


class Taken(NamedTuple):
    """What a batch says of the spans that a processor has taken."""

    of_batch: Sequence[int]
    """Those that are in it."""
    passed: Sequence[int]
    """Those that are now out of the processor, in the order in which it took them; some of the batch may have been
    passed before."""
    lost: Sequence[int]
    """Those of which it is now certain that its queue was full. They are in doubt until they are `decided`."""


class Feed(Protocol):
    """A processor, as seen from its exporter."""

    sink: Sink
    is_direct: bool
    """Whether it exports where spans end."""

    def took(self, span_ids: Sequence[int]) -> Taken:
        """It hands over a batch, which is not exported yet."""

    def doubts(self, span_id: int) -> bool:
        """Whether the processor may still have a span that a batch has passed."""

    def decided(self, span_ids: Sequence[int]) -> None:
        """It is known what became of these."""

    def ask(self) -> Collection[int]:
        """Has the processor hand over all it has, so not with a lock held; what is in doubt after it is lost."""

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

    def decided(self, span_ids: Sequence[int]) -> None:
        pass

    def ask(self) -> Collection[int]:
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
        self.most = size + _ROOM
        """More than it has, with a batch that is on its way to the exporter: `queued` must not grow for ever."""
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
        passed: list[int] = []
        late = batch & self._doubtful.keys()
        missing = of_queue = batch & self.queued.keys()
        while missing:
            for span_id in self._oldest(len(missing)):
                self.queued.pop(span_id, None)
                passed.append(span_id)
            missing = missing & self.queued.keys()  # one may have been crowded out
        self._passed += len(passed)
        doubtful = self._doubtful.copy()  # threads add to it
        lost = [span_id for span_id, until in doubtful.items() if until is not None and until < self._passed]
        self.doubt(span_id for span_id, until in doubtful.items() if until is None)
        self.doubt(span_id for span_id in passed if span_id not in batch)
        return Taken([*late, *of_queue], passed, [span_id for span_id in lost if span_id not in late])

    def doubt(self, span_ids: Iterable[int]) -> None:
        """Whether these come later is not known yet."""
        for span_id in span_ids:
            is_inside = span_id in self.inside
            self._doubtful[span_id] = None if is_inside else self._passed + len(self.queued)

    def crowd_out(self) -> Sequence[int]:
        """Lets go of the oldest where there are too many."""
        oldest = self._oldest(max(0, len(self.queued) - self.most))
        claimed = [span_id for span_id in oldest if self.queued.pop(span_id, 0) is None]
        self._passed += len(claimed)
        return claimed

    def _oldest(self, count: int) -> list[int]:
        try:
            return list(islice(self.queued, count))
        except RuntimeError:  # garbage was collected between the two calls, and another thread ran meanwhile
            return self._oldest(count)

    def doubts(self, span_id: int) -> bool:
        return span_id in self._doubtful

    def decided(self, span_ids: Sequence[int]) -> None:
        if self._doubtful:
            for span_id in span_ids:
                self._doubtful.pop(span_id, None)

    def ask(self) -> Collection[int]:
        asked = self._doubtful.keys() - self.inside
        processor = self._processor()
        is_asked = bool(asked) and processor is not None and processor.force_flush() is not False
        return asked if is_asked else ()

    def rest(self) -> Sequence[int]:
        rest = [*self._doubtful, *self.queued]
        self._doubtful.clear()
        self.queued.clear()
        return rest
