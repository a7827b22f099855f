"""The journal of this process: every span of a session, from its start until it has been delivered.

Written where spans start and end, so: no system call there but when a file is full, and no lock that is held for long.
A finalizer or signal handler may start or end a span in the middle of a write in this very thread; then what it wants
to write is queued, and the interrupted write goes on with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from .. import clock, semconv
from ..sessions.sdk_spans import attributes_of
from ..shield import absorb
from . import records
from .format import FRAME_SIZE, framed
from .format import MOST_BYTES as LONGEST_RECORD
from .numbers import Numbers
from .places import Place
from .records import framed_span
from .segment import OFFSET_BITS, Segment
from .shelf import Shelf

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TEND: Final = 0.5
"""Seconds after something was written until the files are looked after."""

_PATIENCE: Final = 0.05
"""Seconds to wait for another thread's write; it takes microseconds, unless that thread waits for this one."""

_WORTH: Final = 4
"""A file of which no more than one in so many records counts is worth moving them, so that it can be removed."""

Soon = Callable[[float, Callable[[], object]], object]
_Entry = tuple[bytes, int, Sequence[int]]
"""To be written: a record; the span whose last record it is, or 0; spans that need not be kept any longer."""


class Journal:
    """Spans on disk. Thread-safe; nothing here raises, and a failure costs one warning and the journal, no session."""

    def __init__(
        self, place: Place, run_id: str, process: int, soon: Soon, dropped: Callable[[int], object] = lambda spans: None
    ) -> None:
        """``soon(seconds, job)`` has a job done by another thread.

        ``dropped(spans)`` is told how many spans that waited for delivery had to go, because there were too many.
        """
        self._soon = soon
        self._dropped = dropped
        self._shelf = Shelf(place, records.Owner(process, run_id))
        self._segment: Segment | None = None
        """The file that is written to."""
        self._numbers = Numbers(self._put_table)
        self._lock = RLock()
        self._is_writing = False
        self._late: deque[_Entry] = deque()
        self._owed: deque[_Entry] = deque()
        """Deliveries that could not be written because no file could be made."""
        self._is_tending = False
        self._is_closing = False
        self._spans: dict[int, int] = {}
        """Where the last record of a span stands: its position among all that was written."""
        self._roots: set[int] = set()
        self._waiting: dict[int, int] = {}
        """The sinks that a span has still to be delivered to, as bits."""
        self._ended: deque[int] = deque()
        """Spans that ended since the files were looked after, ..."""
        self._over: deque[int] = deque()
        """... and those that had before."""
        self.is_on = True
        """False in a forked child, whose parent's journal this is."""

    # -- spans --

    def started(self, span: Any, *, is_root: bool) -> None:
        """A span of a session has started."""
        if not self.is_on:
            return
        try:
            try:
                context = span._context
            except AttributeError:
                context = span.context
            if context[3] & 1:  # others nobody exports
                if is_root:
                    self._roots.add(context[1])
                self._put_span(span, context[1], is_root)
        except Exception as error:  # noqa: BLE001
            absorb("writing the start of a span to the journal", error)

    def changed(self, span: Any) -> None:
        """Something may have been written on an open span."""
        try:
            span_id = span.context[1]
            if not self.is_on or span_id not in self._spans or span_id in self._waiting:
                return
            known = self._state(span_id)
            if known is None or not span.is_recording():
                return
            now = framed_span(span, self._numbers, known.is_root, seen=known.seen)
            if now[FRAME_SIZE:] != self._payload(span_id):
                self._put_span(span, span_id, known.is_root, seen=clock.time_ns())
        except Exception as error:  # noqa: BLE001
            absorb("writing a change of a span to the journal", error)

    def ended(self, span_id: int) -> None:
        """A span is over. Who takes it for export says so in `accepted`; in a while it is known that nobody did."""
        if span_id in self._spans:
            self._ended.append(span_id)
            if not self._is_tending:
                self._tend_soon()

    # -- exports --

    def sink(self, key: str) -> int:
        """The number of an exporter."""
        return self._numbers.sink(key)

    def accepted(self, span: ReadableSpan, span_id: int, sink: int) -> bool:
        """A span that is sampled and has ended was taken for export; false if it is not in the journal."""
        if not self.is_on or (span_id not in self._spans and semconv.SESSION_ID not in attributes_of(span)):
            return False
        try:
            others = self._waiting.get(span_id)
            if others is None:
                self._waiting[span_id] = 1 << sink
                self._put_span(span, span_id, span_id in self._roots, sink)
            else:
                self._waiting[span_id] = others | 1 << sink
                self._put(framed(records.encode(records.Accepted(span_id, sink))))
        except Exception as error:  # noqa: BLE001
            absorb("writing the end of a span to the journal", error)
        return True

    def is_waiting(self, span_id: int, sink: int) -> bool:
        """Whether a span has still to be delivered to a sink."""
        return bool(self._waiting.get(span_id, 0) >> sink & 1)

    def services(self) -> set[str]:
        """The ``service.name`` of all that is, or was, in it."""
        return self._numbers.services

    def waiting_count(self) -> int:
        """Spans that have ended and are not delivered."""
        return len(self._waiting)

    def delivered(self, sink: int, span_ids: Sequence[int]) -> None:
        """Spans have arrived, or never will: they are not sent to this sink again, by anybody."""
        known = []
        settled = []
        for span_id in span_ids:
            waiting = self._waiting.get(span_id, 0)
            if waiting >> sink & 1:
                known.append(span_id)
                if waiting == 1 << sink:
                    self._waiting.pop(span_id, None)
                    settled.append(span_id)
                else:
                    self._waiting[span_id] = waiting & ~(1 << sink)
        if known:
            try:
                self._put(framed(records.encode(records.Delivered(sink, known))), settled=settled)
            except Exception as error:  # noqa: BLE001
                absorb("writing to the journal what was delivered", error)
            if self._is_closing:
                self._remove_if_done()

    def read(self, span_ids: Iterable[int]) -> list[ReadableSpan]:
        """Spans that have ended, back from the files; those that are not there any more are left out."""
        tables = self._numbers.tables()
        states = (self._state(span_id) for span_id in span_ids)
        found = (tables.readable(state) for state in states if state is not None and state.end)
        return [span for span in found if span is not None]

    # -- the end, and the fork --

    def close(self, *, forget_open: bool = False) -> None:
        """Nothing more will come: when nothing is left to be delivered, now or later, the files are removed."""
        self._is_closing = True
        self._close_over([*self._spans] if forget_open else [*self._taken(self._over), *self._taken(self._ended)])
        self._remove_if_done()

    def leave(self) -> None:
        """For a forked child: the files are the parent's."""
        self.is_on = False
        self._shelf.leave()

    def _remove_if_done(self) -> None:
        if not self._spans and self._lock.acquire(timeout=_PATIENCE):
            try:
                if not self._spans and not self._late and not self._is_writing:
                    self._segment = None
                    self._shelf.clear()
            finally:
                self._lock.release()

    # -- writing --

    def _put_span(self, span: Any, span_id: int, is_root: bool, sink: int = records.NOBODY, seen: int = 0) -> None:
        """Writes a span as it is now; flat, for this is on the path of every span."""
        frame = framed_span(span, self._numbers, is_root, sink, seen)
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
                        spans, base = self._spans, segment.base
                        if spans.get(span_id, -1) < base:
                            self._arrive(span_id, segment)
                        spans[span_id] = base + offset
                        is_written = True
            finally:
                self._is_writing = False
                lock.release()
        if not is_written and len(frame) <= LONGEST_RECORD:
            self._late.append((frame, span_id, ()))
        if self._late:
            self._write_late()
        if not self._is_tending:
            self._tend_soon()

    def _arrive(self, span_id: int, segment: Segment) -> None:
        """A span has its last record in this file from now on; changes nothing if it had it there before."""
        segment.live += 1
        known = self._spans.get(span_id)
        if known is not None:
            self._shelf.segments[known >> OFFSET_BITS].live -= 1

    def _put(self, frame: bytes, span_id: int = 0, settled: Sequence[int] = ()) -> None:
        """Has a record written before it returns, unless this very thread was interrupted while it wrote another."""
        self._late.append((frame, span_id, settled))
        self._write_late()
        self._tend_soon()

    def _put_table(self, frame: bytes) -> None:
        if self._segment is not None:  # else it stands at the beginning of the first one
            self._put(frame)

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
                        self._write(*self._late.popleft())
                finally:
                    self._is_writing = False
            finally:
                self._lock.release()
            if not self._late:
                return

    def _write(self, frame: bytes, span_id: int, settled: Sequence[int]) -> None:
        segment = self._segment
        if segment is None or segment.end + len(frame) > (segment.limit if span_id else segment.size):
            segment = self._next_segment(len(frame))
        if segment is not None:
            offset = segment.append(frame)
            if span_id:
                self._arrive(span_id, segment)
                self._spans[span_id] = segment.base + offset
        elif settled:
            self._owed.append((frame, 0, ()))
        for gone in settled:
            self._forget(gone)

    def _next_segment(self, length: int) -> Segment | None:
        while self._shelf.is_too_large():
            oldest, waited = self._shelf.oldest, 0
            for span_id in self._kept_in(oldest):
                waited += self._waiting.pop(span_id, 0) != 0  # who wants to send it finds that it is not there
                self._forget(span_id)
            self._shelf.drop(oldest)
            self._dropped(waited)
        segment = self._shelf.add(self._numbers.payloads, length)
        if segment is not None:
            self._segment = segment
            owed, self._owed = self._owed, deque()
            self._late.extendleft(reversed(owed))
        return segment

    def _forget(self, span_id: int) -> None:
        known = self._spans.pop(span_id, None)
        self._roots.discard(span_id)
        if known is not None:
            self._shelf.segments[known >> OFFSET_BITS].live -= 1

    # -- reading --

    def _payload(self, span_id: int) -> bytes | None:
        position = self._spans.get(span_id)
        segment = None if position is None else self._shelf.segments.get(position >> OFFSET_BITS)
        if segment is None or position is None:
            return None
        try:
            return segment.read(position - segment.base)
        except ValueError:  # removed meanwhile
            return None

    def _state(self, span_id: int) -> records.SpanState | None:
        state = records.decode(self._payload(span_id) or b"")
        return state if isinstance(state, records.SpanState) and state.span_id == span_id else None

    def _kept_in(self, segment: Segment) -> list[int]:
        # A copy is made in one operation.
        return [span_id for span_id, at in self._spans.copy().items() if at >> OFFSET_BITS == segment.number]

    # -- looking after the files, in another thread --

    def _tend_soon(self) -> None:
        if not self._is_tending:
            self._is_tending = True
            self._soon(TEND, self._tend)

    def _tend(self) -> None:
        self._is_tending = False  # first, so that nothing is added behind our back
        over = self._taken(self._over)
        self._over.extend(self._taken(self._ended))
        self._close_over(over)
        if self._over:
            self._tend_soon()
        self._move_on()
        if self._shelf.is_gone():
            self._start_over()

    def _close_over(self, over: Iterable[int]) -> None:
        """Of spans that ended a while ago, those that nobody took for export need not be kept."""
        for span_id in over:
            if span_id in self._spans and span_id not in self._waiting:
                self._put(framed(records.encode(records.Closed(span_id))), settled=[span_id])

    def _taken(self, queue: deque[int]) -> list[int]:
        taken = []
        with suppress(IndexError):  # two threads may be at it
            while queue:
                taken.append(queue.popleft())
        return taken

    def _move_on(self) -> None:
        """Removes the oldest files when nothing in them counts any more, and helps where little does.

        Only ever the oldest: a younger one may say what became of spans in it.
        """
        with self._lock:
            older = list(self._shelf.segments.values())[:-1]
        for oldest in older:
            if oldest.live and (oldest is older[-1] or oldest.live * _WORTH > oldest.records()):
                return
            for span_id in self._kept_in(oldest) if oldest.live else ():
                self._move(span_id, oldest)
            with self._lock:
                if oldest.live or self._is_writing:
                    return
                self._shelf.drop(oldest)

    def _move(self, span_id: int, segment: Segment) -> None:
        with self._lock:
            payload = self._payload(span_id)
            is_there = self._spans.get(span_id, -1) >> OFFSET_BITS == segment.number
            if payload is not None and is_there and not self._is_writing:
                # Who has got it by now, a later file need not say: it is said for whom it still is.
                waiting = self._waiting.get(span_id, 0)
                sinks = [sink for sink in range(waiting.bit_length()) if waiting >> sink & 1]
                first = sinks.pop(0) if sinks else records.NOBODY
                state = records.decode(payload)
                if isinstance(state, records.SpanState) and state.sink != first:
                    payload = records.encode(state._replace(sink=first))
                self._put(framed(payload), span_id)
                for sink in sinks:
                    self._put(framed(records.encode(records.Accepted(span_id, sink))))

    def _start_over(self) -> None:
        """Somebody has removed the files, unless we did."""
        with self._lock:
            if not self._is_writing and self._shelf.is_gone():
                self._shelf.warn("it was removed")
                for known in (self._spans, self._roots, self._waiting):
                    known.clear()
                self._segment = None
                self._shelf.clear()
