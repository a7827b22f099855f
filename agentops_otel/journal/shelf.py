"""The files of the journal of this process, in the order in which they were written."""

from __future__ import annotations

import logging
from contextlib import suppress
from time import monotonic
from typing import Final

from . import records
from .format import HEADER_SIZE, framed
from .places import OwnerFiles, Place
from .segment import RESERVED, Segment

SMALL_BYTES: Final = 2**20
"""Size of a file as long as there are few: most processes need no second."""

LARGE_BYTES: Final = 2**23
"""Size of others."""

FEW: Final = 4
"""Small files that are written to in turn, again and again, while what is in them is delivered."""

MOST_BYTES: Final = 2**28
"""Of all of them."""

_AGAIN: Final = 10.0
"""Seconds after which it is tried again to make a file, on a disk that was full."""

_logger = logging.getLogger("agentops_otel")


class Shelf:
    """Makes the files when they are needed, and removes them. A failure costs one warning. Not thread-safe."""

    def __init__(self, place: Place, owner: records.Owner) -> None:
        self._place = place
        self._owner = framed(records.encode(owner))
        self._files: OwnerFiles | None = None
        self.segments: dict[int, Segment] = {}
        """By number, the oldest first."""
        self._empty: list[Segment] = []
        """Files for what comes. To make one and its pages takes a millisecond; and these are in memory."""
        self._next_number = 0
        self._blocked_until = 0.0
        self._has_warned = False
        self._has_overflowed = False

    @property
    def oldest(self) -> Segment:
        return next(iter(self.segments.values()))

    def add(self, tables: list[bytes], length: int) -> Segment | None:
        """A new file with room for a record of so many bytes; None where there can be none now."""
        if monotonic() < self._blocked_until:
            return None
        head = self._owner + b"".join(map(framed, tables))
        size = HEADER_SIZE + len(head) + length + RESERVED
        try:
            segment = self._segment(max(size, SMALL_BYTES if len(self.segments) < FEW else LARGE_BYTES))
        except OSError as error:
            self._blocked_until = monotonic() + _AGAIN
            self.warn(error.strerror or str(error))
            return None
        segment.append(head)
        self.segments[segment.number] = segment
        return segment

    def _segment(self, size: int) -> Segment:
        if self._files is None:
            self._files = self._place.new_owner()
        number, self._next_number = self._next_number, self._next_number + 1
        path = self._files.segment(number)
        while self._empty:
            empty = self._empty.pop()
            if empty.size >= size:
                with suppress(OSError):  # somebody has removed it
                    return empty.moved(path, number)
            empty.close()
        return Segment.made(path, number, size)

    def is_too_large(self) -> bool:
        """Whether there are so many that the oldest has to go before another one is added."""
        is_it = len(self.segments) > 1 and self._bytes() + LARGE_BYTES > MOST_BYTES
        if is_it and not self._has_overflowed:
            self._has_overflowed = True
            _logger.warning(
                "the journal of sessions has reached %d MiB; the oldest spans in it are dropped", MOST_BYTES >> 20
            )
        return is_it

    def _bytes(self) -> int:
        return sum(segment.size for segment in self.segments.values())

    def drop(self, segment: Segment) -> None:
        """Removes a file, or keeps it for what comes, with nothing in it."""
        del self.segments[segment.number]
        if segment.size == SMALL_BYTES and max(len(self.segments), len(self._empty)) < FEW:
            segment.empty()
            self._empty.append(segment)
        else:
            segment.close()

    def is_gone(self) -> bool:
        """Whether somebody has removed the files."""
        files = self._files
        return files is not None and not files.is_there()

    def clear(self) -> None:
        """Removes all files, and gives up the lock. The next one that is added begins anew."""
        files, self._files = self._files, None
        for segment in (*self.segments.values(), *self._empty):
            segment.close()
        self.segments.clear()
        self._empty.clear()
        if files is not None:
            files.remove()

    def leave(self) -> None:
        """For a forked child: the files are the parent's, who alone holds the lock from now on."""
        if self._files is not None:
            self._files.release()

    def warn(self, problem: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _logger.warning(
                "there is no journal of sessions in %s (%s): what is open when the process is killed is lost",
                self._place.directory,
                problem,
            )
