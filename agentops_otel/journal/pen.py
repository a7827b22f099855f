"""Writes records one after the other, whichever threads and interruptions want them written.

On the path of every span, so: a system call once in a hundred records or more, and nothing that is held for long. A
finalizer or signal handler may start or end a span in the middle of a write in this very thread; then what it wants to
write is queued, and the interrupted write goes on with it.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from time import monotonic, sleep
from typing import Any, Final

from ..semconv import SESSION_ID
from ..sessions.sdk_spans import attributes_of
from ..shield import absorb
from . import records
from .format import FRAME_SIZE, MARK, checksum, framed
from .format import MOST_BYTES as LONGEST_RECORD
from .numbers import Numbers
from .records import ENDED, HEAD, SPAN, end_body, framed_span, start_body
from .segment import OFFSET_BITS, Segment
from .shelf import Shelf

TEND: Final = 0.5
"""Seconds after something was written until the files are looked after."""

_PATIENCE: Final = 0.05
"""Seconds to wait for another thread's write; it takes microseconds, unless that thread waits for this one."""

_BLINK: Final = 0.0002
"""Seconds until it is looked again whether it is done."""

Soon = Callable[[float, Callable[[], object]], object]
_Entry = tuple[bytes, int, Sequence[int]]
"""To be written: a record; the span whose last record it is, or 0; spans that need not be kept any longer."""


class _PackInto(dict[int, Callable[..., object]]):
    """What writes a frame and its payload to a file in one call, by the length of the payload."""

    def __missing__(self, length: int) -> Callable[..., object]:
        if len(self) >= _MOST_LENGTHS:
            self.clear()
        made = self[length] = struct.Struct(f"{HEAD.format}{length - 1}s").pack_into
        return made


_MOST_LENGTHS: Final = 1000
_pack_into: Final = _PackInto()
_SPAN_BEGUN: Final = checksum(bytes((SPAN,)))
_ENDED_BEGUN: Final = checksum(bytes((ENDED,)))
"""Checksums of the byte that a payload begins with."""


class Pen:
    """Writes to the newest file on a shelf, and knows of each span where its last record stands and who it waits for.

    Thread-safe.
    """

    def __init__(
        self,
        shelf: Shelf,
        tend: Callable[[], object],
        soon: Soon,
        dropped: Callable[[list[int]], object],
    ) -> None:
        """``soon(seconds, tend)`` is called when something was written, if ``is_tending`` is not set.

        ``dropped`` is told of spans that were kept until there was no room for them.
        """
        self._shelf = shelf
        self._tend = tend
        self._soon = soon
        self._dropped = dropped
        self.numbers = Numbers(self._put_table)
        self.spans: dict[int, int] = {}
        """Where the last record of a span stands: its position among all that was written."""
        self.roots: set[int] = set()
        """Those of them that are roots of sessions."""
        self.waiting: dict[int, int] = {}
        """The sinks that a span has still to be delivered to, as bits."""
        self.is_on = True
        """False in a forked child, whose parent's files these are."""
        self.is_tending = False
        self._segment: Segment | None = None
        """The file that is written to."""
        self._turn: dict[None, object] = {}
        """Whose turn it is to write: it is taken by `dict.setdefault`, in one operation, which costs less
        than a lock. Either by what is written, or by this object, for more than one record."""
        self._lock = RLock()
        """Of who wants to write more than one record."""
        self._late: deque[_Entry] = deque()
        self._owed: deque[_Entry] = deque()
        """Deliveries that could not be written because no file could be made."""

    # -- from any thread, at any moment --

    # Both of these are on the path of every span, so they are written flat.

    def started(self, span: Any, is_root: bool = False) -> None:
        """Writes a span that has just started. Raises nothing."""
        try:
            try:
                context = span._context
            except AttributeError:
                context = span.context
            if not context[3] & 1:  # not sampled: nobody exports it
                return
            span_id = context[1]
            if is_root:
                self.roots.add(span_id)
            segment, is_written = self._segment, False
            body = start_body(span, context, self.numbers.by_address, is_root)
            if body is not None and segment is not None:
                length = len(body) + 1
                check = checksum(body, _SPAN_BEGUN)
                turn = self._turn
                try:
                    if turn.setdefault(None, body) is body:  # what interrupts this is written after it
                        offset = segment.end
                        end = offset + FRAME_SIZE + length
                        if end <= segment.limit and segment is self._segment:
                            _pack_into[length](segment.data, offset, MARK, length, check, SPAN, body)
                            segment.end = end
                            segment.live += 1
                            self.spans[span_id] = segment.base + offset
                            is_written = True
                        del turn[None]
                except BaseException:
                    if turn.get(None) is body:
                        del turn[None]
                    raise
            if not is_written:
                if not self.is_on:
                    return
                self._late.append((framed_span(span, self.numbers, is_root), span_id, ()))
            if self._late:
                self._write_late()
            if not self.is_tending:
                self.tend_soon()
        except Exception as error:  # noqa: BLE001
            absorb("writing the start of a span to the journal", error)

    def accepted(self, span: Any, span_id: int, sink: int) -> bool:
        """Writes a span that is sampled, has ended, and was taken for export: what of it is not in the same file.

        False if it is none of the journal's. Raises nothing.
        """
        try:
            spans, waiting = self.spans, self.waiting
            known = spans.get(span_id, -1)
            if not self.is_on or (known < 0 and SESSION_ID not in attributes_of(span)):
                return False
            if span_id in waiting and self._waits_also_for(sink, span_id):
                return True
            waiting[span_id] = 1 << sink
            segment, is_written = self._segment, False
            if segment is not None and known >= segment.base:
                body = end_body(span, known - segment.base, sink)
                if body is not None:
                    length = len(body) + 1
                    check = checksum(body, _ENDED_BEGUN)
                    turn = self._turn
                    try:
                        if turn.setdefault(None, body) is body:
                            offset = segment.end
                            end = offset + FRAME_SIZE + length
                            # It may have been given up, or moved to another file, since it was looked up; or what waits
                            # to be written says so.
                            is_as_it_was = segment is self._segment and spans.get(span_id) == known and not self._late
                            if is_as_it_was and end <= segment.limit:
                                _pack_into[length](segment.data, offset, MARK, length, check, ENDED, body)
                                segment.end = end
                                spans[span_id] = segment.base + offset
                                is_written = True
                            del turn[None]
                    except BaseException:
                        if turn.get(None) is body:
                            del turn[None]
                        raise
            if not is_written:  # whole, for it may come to stand in another file
                self._late.append((framed_span(span, self.numbers, span_id in self.roots, sink), span_id, ()))
            if self._late:
                self._write_late()
            if not self.is_tending:
                self.tend_soon()
        except Exception as error:  # noqa: BLE001
            absorb("writing the end of a span to the journal", error)
        return True

    def _waits_also_for(self, sink: int, span_id: int) -> bool:
        """False if everybody who was to get it has got it by now."""
        with self.alone():
            others = self.waiting.get(span_id, 0)
            if others:
                self.waiting[span_id] = others | 1 << sink
                self.put(framed(records.encode(records.Accepted(span_id, sink))))
        return bool(others)

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
        while self._late:
            if not self._begin():
                return  # whose turn it is goes on with what is left
            try:
                while self._late:
                    self.write(*self._late.popleft())
            finally:
                self._finish()

    # -- alone --

    @contextmanager
    def alone(self, length: int = 0) -> Iterator[bool]:
        """What others want to have written in the meantime is written after it; there is room for so many bytes.

        False where that cannot be: another thread takes too long, or this very one was interrupted while it wrote.
        """
        if not self._begin():
            yield False
            return
        try:
            if length:
                self._room(length)
            yield True
        finally:
            self._finish()
        self._write_late()

    def _begin(self) -> bool:
        deadline = monotonic() + _PATIENCE
        if not self._lock.acquire(timeout=_PATIENCE):
            return False
        # Where it is the turn of this object in spite of the lock, it is this thread that was interrupted.
        is_ours = self._turn.get(None) is not self
        while is_ours and self._turn.setdefault(None, self) is not self:
            is_ours = monotonic() < deadline
            sleep(_BLINK)
        if not is_ours:
            self._lock.release()
        return is_ours

    def _finish(self) -> None:
        del self._turn[None]
        self._lock.release()

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
        self.roots.clear()
        self._segment = None
        self._shelf.clear()

    def leave(self) -> None:
        """For a forked child: the files are the parent's."""
        self.is_on = False
        self._segment = None
        self._shelf.leave()

    def is_done(self) -> bool:
        """Whether no span is kept, and nothing waits to be written."""
        return not self.spans and not self._late

    def _leave(self, position: int | None) -> None:
        """What a span was kept by until now counts no longer."""
        if position is not None:
            self._shelf.segments[position >> OFFSET_BITS].live -= 1

    def _forget(self, span_id: int) -> None:
        self._leave(self.spans.pop(span_id, None))
        self.roots.discard(span_id)

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
        tables = list(self.numbers.payloads)
        segment = self._shelf.add(tables, length)
        if segment is not None:
            self._segment = segment
            owed, self._owed = self._owed, deque()
            self._late.extendleft(reversed(owed))
            for payload in self.numbers.payloads[len(tables) :]:  # told while there was no file yet
                self.write(framed(payload))
        return self._segment if segment is not None else None

    # -- reading --

    def payload(self, span_id: int) -> bytes | None:
        """The last record of a span."""
        _, payload = self._last(span_id)
        return payload

    def state(self, span_id: int) -> records.SpanState | None:
        """A span as its last record says."""
        segment, payload = self._last(span_id)
        record = records.decode(payload or b"")
        if isinstance(record, records.Ended) and segment is not None:
            whole = records.decode(_read(segment, record.whole) or b"")
            record = record.of(whole) if isinstance(whole, records.SpanState) else None
        return record if isinstance(record, records.SpanState) and record.span_id == span_id else None

    def _last(self, span_id: int) -> tuple[Segment | None, bytes | None]:
        position = self.spans.get(span_id)
        segment = None if position is None else self._shelf.segments.get(position >> OFFSET_BITS)
        if segment is None or position is None:
            return None, None
        return segment, _read(segment, position - segment.base)

    def kept_in(self, segment: Segment) -> list[int]:
        """The spans whose last record is in a file."""
        # A copy is made in one operation.
        return [span_id for span_id, at in self.spans.copy().items() if at >> OFFSET_BITS == segment.number]


def _read(segment: Segment, offset: int) -> bytes | None:
    try:
        return segment.read(offset)
    except ValueError:  # removed meanwhile
        return None
