"""Writes records one after the other, whichever threads and interruptions want them written.

On the path of every span, so: no system call but when a file is full, and no lock that is held for long. A finalizer or
signal handler may start or end a span in the middle of a write in this very thread; then what it wants to write is
queued, and the interrupted write goes on with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any, Final

from . import records
from .format import MOST_BYTES as LONGEST_RECORD
from .numbers import Numbers
from .records import framed_span
from .segment import OFFSET_BITS, Segment
from .shelf import Shelf

TEND: Final = 0.5
"""Seconds after something was written until the files are looked after."""

_PATIENCE: Final = 0.05
"""Seconds to wait for another thread's write; it takes microseconds, unless that thread waits for this one."""

Soon = Callable[[float, Callable[[], object]], object]
_Entry = tuple[bytes, int, Sequence[int]]
"""To be written: a record; the span whose last record it is, or 0; spans that need not be kept any longer."""


class Pen:
    """Writes to the newest file on a shelf, and knows where the last record of each span stands. Thread-safe."""

    def __init__(
        self,
        shelf: Shelf,
        tend: Callable[[], object],
        soon: Soon,
        forgotten: Callable[[int], object],
        dropped: Callable[[list[int]], object],
    ) -> None:
        """``soon(seconds, tend)`` is called when something was written, if ``is_tending`` is not set.

        ``forgotten`` is told of each span that is not kept any longer; ``dropped`` of those that were, but there was no
        room for them.
        """
        self._shelf = shelf
        self._tend = tend
        self._soon = soon
        self._forgotten = forgotten
        self._dropped = dropped
        self.numbers = Numbers(self._put_table)
        self.spans: dict[int, int] = {}
        """Where the last record of a span stands: its position among all that was written."""
        self.is_tending = False
        self._segment: Segment | None = None
        """The file that is written to."""
        self._lock = RLock()
        self._is_writing = False
        self._late: deque[_Entry] = deque()
        self._owed: deque[_Entry] = deque()
        """Deliveries that could not be written because no file could be made."""

    # -- from any thread, at any moment --

    def put_span(self, span: Any, span_id: int, is_root: bool, sink: int = records.NOBODY) -> None:
        """Writes a span as it is now; flat, for this is on the path of every span."""
        frame = framed_span(span, self.numbers, is_root, sink)
        lock = self._lock
        is_written = False
        if not self._is_writing and lock.acquire(False):
            # An interruption from here to the next line writes its own record first, and whole.
            self._is_writing = True
            try:
                segment = self._segment
                if segment is not None and not self._late:
                    offset = segment.end
                    end = offset + len(frame)
                    if end <= segment.limit:
                        segment.data[offset:end] = frame
                        segment.end = end
                        spans, base = self.spans, segment.base
                        known = spans.get(span_id, -1)
                        if known < base:
                            segment.live += 1
                            if known >= 0:
                                self._leave(known)
                        spans[span_id] = base + offset
                        is_written = True
            finally:
                self._is_writing = False
                lock.release()
        if not is_written:
            self._late.append((frame, span_id, ()))
        if self._late:
            self._write_late()
        if not self.is_tending:
            self.tend_soon()

    def put(self, frame: bytes, settled: Sequence[int] = ()) -> None:
        """Has a record written before it returns, unless this very thread was interrupted while it wrote another."""
        self._late.append((frame, 0, settled))
        self._write_late()
        self.tend_soon()

    def tend_soon(self) -> None:
        """Has the files looked after, once."""
        if not self.is_tending:
            self.is_tending = True
            self._soon(TEND, self._tend)

    def _put_table(self, frame: bytes) -> None:
        if self._segment is not None:  # else it stands at the beginning of the first one
            self.put(frame)

    def _write_late(self) -> None:
        """Writes what waits to be written; where another thread is at it, returns when that is done."""
        while True:
            if not self._lock.acquire(timeout=_PATIENCE):
                return  # who has it goes on with what is left
            try:
                if self._is_writing:  # this thread itself, which was interrupted
                    return
                self._is_writing = True
                try:
                    while self._late:
                        self.write(*self._late.popleft())
                finally:
                    self._is_writing = False
            finally:
                self._lock.release()
            if not self._late:
                return

    # -- alone --

    @contextmanager
    def alone(self, length: int = 0) -> Iterator[bool]:
        """What others want to have written in the meantime is written after it; there is room for so many bytes.

        False where that cannot be: another thread takes too long, or this very one was interrupted while it wrote.
        """
        if not self._lock.acquire(timeout=_PATIENCE):
            yield False
            return
        try:
            if self._is_writing:
                yield False
                return
            self._is_writing = True
            try:
                if length:
                    self._room(length)
                yield True
            finally:
                self._is_writing = False
        finally:
            self._lock.release()
        if self._late:
            self._write_late()

    def write(self, frame: bytes, span_id: int = 0, settled: Sequence[int] = ()) -> None:
        """Writes a record; only when `alone`. ``span_id``: whose last it is; ``settled``: who need not be kept."""
        if span_id and len(frame) > LONGEST_RECORD:
            return
        segment = self._room(len(frame), is_span=bool(span_id))
        if segment is not None:
            offset = segment.append(frame)
            if span_id:
                segment.live += 1
                self._leave(self.spans.get(span_id))
                self.spans[span_id] = segment.base + offset
        elif settled:
            self._owed.append((frame, 0, ()))
        for gone in settled:
            self._forget(gone)

    def clear(self) -> None:
        """Removes all files; only when `alone`. The next record begins anew."""
        self.spans.clear()
        self._segment = None
        self._shelf.clear()

    def is_done(self) -> bool:
        """Whether no span is kept, and nothing waits to be written."""
        return not self.spans and not self._late

    def _leave(self, position: int | None) -> None:
        """What a span was kept by until now counts no longer."""
        if position is not None:
            self._shelf.segments[position >> OFFSET_BITS].live -= 1

    def _forget(self, span_id: int) -> None:
        self._leave(self.spans.pop(span_id, None))
        self._forgotten(span_id)

    def _room(self, length: int, *, is_span: bool = True) -> Segment | None:
        """The file in which there is room for a record; a new one, if need be."""
        segment = self._segment
        if segment is not None and segment.has_room(length, is_span=is_span):
            return segment
        while self._shelf.is_too_large():
            oldest = self._shelf.oldest
            gone = self.kept_in(oldest)
            for span_id in gone:
                self._forget(span_id)
            self._shelf.drop(oldest)
            self._dropped(gone)
        segment = self._shelf.add(self.numbers.payloads, length)
        if segment is not None:
            self._segment = segment
            owed, self._owed = self._owed, deque()
            self._late.extendleft(reversed(owed))
        return segment

    # -- reading --

    def payload(self, span_id: int) -> bytes | None:
        """The last record of a span."""
        position = self.spans.get(span_id)
        segment = None if position is None else self._shelf.segments.get(position >> OFFSET_BITS)
        if segment is None or position is None:
            return None
        try:
            return segment.read(position - segment.base)
        except ValueError:  # removed meanwhile
            return None

    def kept_in(self, segment: Segment) -> list[int]:
        """The spans whose last record is in a file."""
        # A copy is made in one operation.
        return [span_id for span_id, at in self.spans.copy().items() if at >> OFFSET_BITS == segment.number]
