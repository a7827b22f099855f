"""The journal of a process that is gone: which spans it left, and who is still to get them.

The files are read, not mapped: reading a mapping of a file that somebody shortens, or of a disk that fails, kills. They
are read twice. At first every record is looked at, and kept is only where the last one of each span stands; a span
itself is read when it is sent. So 100,000 spans take a few megabytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from . import format, records

MOST_BYTES: Final = 2**26
"""Of one file; a larger one is none of a journal."""

SERVICE_NAME: Final = "service.name"

_BEGINNING: Final = 2**16
"""Bytes of a file in which it says who wrote it."""

ANYBODY: Final = ""
"""Stands for the exporter of a process that died before it knew one."""

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LostTrace:
    """What is known of a trace without reading its spans again."""

    __slots__ = ("activity", "order", "spans")

    def __init__(self, order: int) -> None:
        self.order = order
        """Of its first record among those of all traces."""
        self.spans: list[LostSpan] = []
        """In the order of their starts."""
        self.activity = 0
        """The last time at which something in it is known to have happened, in nanoseconds since the epoch."""


class LostSpan:
    """Where the last records of a span stand, and for whom it is."""

    __slots__ = (
        "accepted",
        "confirmed",
        "end_offset",
        "end_size",
        "file",
        "is_open",
        "is_root",
        "offset",
        "order",
        "size",
        "span_id",
        "trace",
    )

    def __init__(self, span_id: int, order: int) -> None:
        self.span_id = span_id
        self.order = order
        """Of its first record among those of all spans: after that of its parent."""
        self.trace: LostTrace | None = None
        """None as long as only other records tell of it."""
        self.is_root = False
        self.is_open = True
        self.accepted = 0
        """Exporters, as bits, that were to get it, ..."""
        self.confirmed = 0
        """... and those that said what became of it."""
        self.file = self.offset = self.size = 0
        """Where it stands whole."""
        self.end_offset = self.end_size = 0
        """Where its end stands in the same file; 0 where that is not apart."""


class Lost:
    """What a dead process left. Not thread-safe."""

    def __init__(self) -> None:
        self.owner: records.Owner | None = None
        """None where nothing could be read."""
        self.tables: list[records.Resource | records.Scope] = []
        self.damaged = 0
        """Places where something stands that is no record."""
        self.problems: dict[str, str] = {}
        """Files that could not be read, by their names, and why; nobody may remove them."""
        self._paths: list[Path] = []
        self._spans: dict[int, LostSpan] = {}
        self._traces: dict[bytes, LostTrace] = {}
        self._bits: dict[str, int] = {ANYBODY: 1}
        """Exporters by their keys."""
        self._of_the_dead = 0
        """Those of the dead process, ..."""
        self._adopters = 0
        """... and those of others that were sent, or will be, what none of the dead process's could be."""

    # -- who gets what --

    def recipients(self, keys: Iterable[str]) -> list[str]:
        """Which of the exporters that are there are sent something of this.

        Those the dead process had too. Where there is none, those that were sent some of it before in their place;
        where there is none either, all.
        """
        there = list(dict.fromkeys(keys))
        for group in (self._of_the_dead, self._adopters):
            found = [key for key in there if self._bits.get(key, 0) & group]
            if found:
                return found
        return there

    def due(self, key: str) -> list[LostSpan]:
        """What an exporter is to be sent: what has ended in the order in which it did, then what was open.

        What was open comes session by session, and the deepest first, as sessions end in a process that lives.
        """
        bit = self._bits.get(key, 0)
        if bit & self._of_the_dead:
            due = [span for span in self._spans.values() if self._owed(span) & bit]
        elif bit & self._adopters:
            due = [span for span in self._spans.values() if self._unconfirmed(span) and not span.confirmed & bit]
        else:
            due = self.left()
        return sorted(due, key=_in_turn)

    def left(self) -> list[LostSpan]:
        """What has still to be sent to somebody."""
        return [span for span in self._spans.values() if self._owed(span)]

    def confirm(self, key: str, spans: Iterable[LostSpan]) -> None:
        """An exporter has said what became of spans."""
        bit = self._bit(key)
        if not bit & self._of_the_dead:
            self._adopters |= bit
        for span in spans:
            span.confirmed |= bit

    def give_up(self, span: LostSpan) -> None:
        """A span cannot be sent to anybody: its record is damaged."""
        self.damaged += 1
        span.confirmed = -1

    def _unconfirmed(self, span: LostSpan) -> int:
        """The exporters of the dead process that have not said what became of a span."""
        # Who dies at the end of a span may not have written any more who takes it: then it is for all.
        wanted = span.accepted or self._of_the_dead or self._bits[ANYBODY]
        return wanted & ~span.confirmed

    def _owed(self, span: LostSpan) -> int:
        return 0 if span.confirmed & self._adopters else self._unconfirmed(span)

    # -- spans --

    def roots(self) -> int:
        """How many sessions were open."""
        return sum(span.is_root and span.is_open and not span.confirmed for span in self._spans.values())

    def states(self, spans: Sequence[LostSpan]) -> Iterator[tuple[LostSpan, records.SpanState | None]]:
        """Reads spans; None for one that is not in its file any more."""
        number, file = -1, -1
        try:
            for span in spans:
                if span.file != number:
                    _close(file)
                    number, file = span.file, _open(self._paths[span.file])
                yield span, _state(file, span)
        finally:
            _close(file)

    # -- reading --

    def take_in(self, path: Path, *, is_sidecar: bool = False) -> None:
        """Reads a file: one of the dead process, or the one that says what was sent of them since it died."""
        try:
            content = _content(path)
            if content is None:
                return
            self._paths.append(path)
            self._take_in(content, format.payloads(content), is_sidecar)
        except format.NotAJournal as error:
            self.problems[path.name] = str(error)
        except OSError as error:
            self.problems[path.name] = error.strerror or str(error)

    def done(self) -> None:
        """All files are read."""
        # A span whose own record is damaged, or was removed because it had been delivered.
        self._spans = {span_id: span for span_id, span in self._spans.items() if span.trace is not None}

    def _take_in(self, content: bytes, payloads: Iterator[tuple[int, bytes]], is_sidecar: bool) -> None:
        bits: dict[int, int] = {}
        expected = format.HEADER_SIZE
        for offset, payload in payloads:
            self.damaged += offset != expected
            expected = offset + format.FRAME_SIZE + len(payload)
            record = records.decode(payload)
            if isinstance(record, records.SpanState):
                span = self._take_span(record, offset, expected - offset)
                if record.sink > records.NOBODY:
                    span.accepted |= self._bit_of(record.sink, bits)
            elif isinstance(record, records.Ended):
                if self._take_end(record, offset, expected - offset):
                    self._span(record.span_id).accepted |= self._bit_of(record.sink, bits)
            elif isinstance(record, records.Accepted):
                self._span(record.span_id).accepted |= self._bit_of(record.sink, bits)
            elif isinstance(record, records.Delivered):
                bit = self._bit_of(record.sink, bits)
                for span_id in record.span_ids:
                    self._span(span_id).confirmed |= bit
            elif isinstance(record, records.Closed):
                self._spans.pop(record.span_id, None)
            elif isinstance(record, records.Sink):
                bits[record.number] = bit = self._bit(record.key)
                if not is_sidecar:
                    self._of_the_dead |= bit
                elif not bit & self._of_the_dead:
                    self._adopters |= bit
            elif isinstance(record, (records.Resource, records.Scope)):
                self.tables.append(record)
            elif isinstance(record, records.Owner):
                self.owner = record
            else:
                self.damaged += 1

    def _take_span(self, state: records.SpanState, offset: int, size: int) -> LostSpan:
        span = self._span(state.span_id)
        trace = self._traces.get(state.trace_id)
        if trace is None:
            trace = self._traces[state.trace_id] = LostTrace(len(self._traces))
        trace.activity = max(trace.activity, state.start, state.seen, state.end)
        if span.trace is None:
            span.trace = trace
            trace.spans.append(span)
        if span.is_open:  # no record takes an end back
            span.is_root = state.is_root
            span.is_open = not state.end
            span.file, span.offset, span.size = len(self._paths) - 1, offset, size
        return span

    def _take_end(self, end: records.Ended, offset: int, size: int) -> bool:
        span = self._span(end.span_id)
        if span.trace is None or span.file != len(self._paths) - 1:
            return False  # what it is the end of is damaged
        if span.is_open:
            span.trace.activity = max(span.trace.activity, end.end)
            span.is_open = False
            span.end_offset, span.end_size = offset, size
        return True

    def _span(self, span_id: int) -> LostSpan:
        span = self._spans.get(span_id)
        if span is None:
            span = self._spans[span_id] = LostSpan(span_id, len(self._spans))
        return span

    def _bit(self, key: str) -> int:
        return self._bits.setdefault(key, 1 << len(self._bits))

    def _bit_of(self, number: int, bits: Mapping[int, int]) -> int:
        """The exporter of this number in a file; one that nobody has where the record that names it is damaged."""
        return bits.get(number) or self._bit(f"{ANYBODY}{number}")


def read(segments: Iterable[Path], sidecar: Iterable[Path] = ()) -> Lost:
    """What a dead process left in its files, the oldest of them first; never raises for what stands in them."""
    lost = Lost()
    for path in segments:
        lost.take_in(path)
    for path in sidecar:
        lost.take_in(path, is_sidecar=True)
    lost.done()
    return lost


def owner_of(segments: Iterable[Path]) -> records.Owner | None:
    """Who wrote files, told from their beginning: every file begins with it."""
    for path in segments:
        with suppress(OSError, format.NotAJournal):
            for _, payload in format.payloads(_content(path, _BEGINNING) or b""):
                record = records.decode(payload)
                if isinstance(record, records.Owner):
                    return record
    return None


def services_of(segments: Iterable[Path]) -> set[str]:
    """The ``service.name`` of what a process did, told from the beginning of its files; empty where none is there."""
    names: set[str] = set()
    for path in segments:
        with suppress(OSError, format.NotAJournal):
            for _, payload in format.payloads(_content(path, _BEGINNING) or b""):
                record = records.decode(payload)
                if isinstance(record, records.Resource):
                    names.add(service_of(record))
    return names


def service_of(resource: Any) -> str:
    """The ``service.name`` of a resource, of the SDK or in a file; the SDK always gives it one."""
    return str(resource.attributes.get(SERVICE_NAME, ""))


def _in_turn(span: LostSpan) -> tuple[bool, int, int, int]:
    if span.is_open:
        assert span.trace is not None
        return True, span.trace.order, -span.order, 0
    return False, span.file, span.end_offset or span.offset, 0


def _content(path: Path, most: int = MOST_BYTES) -> bytes | None:
    """What is in a file, or at its beginning; None where nothing is, because its process had just made it and died.

    Raises OSError or NotAJournal for what cannot be read.
    """
    file = os.open(path, _READ)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise format.NotAJournal("it is no file")
        if status.st_size > MOST_BYTES:
            raise format.NotAJournal("it is too large")
        content = os.pread(file, min(most, status.st_size), 0)
    finally:
        os.close(file)
    return content if content.count(0) < len(content) else None


def _open(path: Path) -> int:
    try:
        return os.open(path, _READ)
    except OSError:
        return -1


def _close(file: int) -> None:
    if file >= 0:
        os.close(file)


def _state(file: int, span: LostSpan) -> records.SpanState | None:
    state = _record(file, span.offset, span.size)
    if span.end_size and isinstance(state, records.SpanState):
        end = _record(file, span.end_offset, span.end_size)
        state = end.of(state) if isinstance(end, records.Ended) else None
    return state if isinstance(state, records.SpanState) and state.span_id == span.span_id else None


def _record(file: int, offset: int, size: int) -> records.Record | None:
    try:
        return records.decode(format.payload_at(os.pread(file, size, offset), 0) or b"")
    except OSError:
        return None
