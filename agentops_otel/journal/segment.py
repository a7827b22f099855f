"""One memory-mapped file of a journal.

A write to a mapping gives up nothing, not even the GIL, which a system call does: beside a busy thread that doubles the
time of every span. What is in the mapping is in the file also when the process is killed at the next instruction (not
when the machine loses power). The room on the disk is really taken when the file is made: a mapping of a file with
holes on a full disk would be a SIGBUS later, which kills.
"""

from __future__ import annotations

import mmap
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from . import format

OFFSET_BITS: Final = 32
"""Of a position; the others are the number of the file."""

RESERVED: Final = 2**14
"""Bytes, at most, that are left free for what was delivered: it is to be written also when the disk is full."""


_AHEAD: Final = 2**15
"""Bytes beyond the last record that are made present in memory: one page at a time, where it is first written to, takes
three times as long in all, and the whole file at once stops the program for milliseconds."""

_MADV_POPULATE_WRITE: Final = 23
"""Of Linux since 5.14; `mmap` has no name for it."""

_ZEROS: Final = bytes(2**16)


class Segment:
    """A file that records are appended to, and read back from. Not thread-safe."""

    __slots__ = ("_most", "_records", "base", "data", "end", "limit", "live", "number", "path", "size")

    def __init__(self, path: Path, number: int, data: mmap.mmap, *, is_present: bool) -> None:
        """``data``: the mapping of a file that has a header; ``is_present``: whether it is in memory."""
        self.path = path
        self.number = number
        self.base = number << OFFSET_BITS
        """The position of its beginning among those of all files: they go up as it is written."""
        self.data = data
        """The mapping, for who must not make a call to write to it."""
        self.size = size = len(data)
        self.live = 0
        """Spans whose last record is in it."""
        self._records = 0
        self.end = format.HEADER_SIZE
        """Where the next record goes."""
        self._most = size - min(RESERVED, size // 16)
        """Where records of spans end."""
        self.limit = self._most if is_present else 0
        """Up to where one can be written without asking whether there is room."""
        if not is_present:
            self._reach(self.end)

    @classmethod
    def made(cls, path: Path, number: int, size: int) -> Segment:
        """Makes the file. Raises OSError where that cannot be done, and leaves nothing behind then."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _take_room(file, size)
            data = mmap.mmap(file, size)
        except (OSError, ValueError):
            with suppress(OSError):
                os.unlink(path)
            raise
        finally:
            os.close(file)
        data[: format.HEADER_SIZE] = format.header()
        return cls(path, number, data, is_present=False)

    def empty(self) -> None:
        """Overwrites all records. Who is killed while that is done leaves none of them behind."""
        self.data[: format.HEADER_SIZE] = format.header(format.EMPTY)
        for offset in range(format.HEADER_SIZE, self.end, len(_ZEROS)):
            self.data[offset : offset + len(_ZEROS)] = _ZEROS[: self.size - offset]

    def moved(self, path: Path, number: int) -> Segment:
        """The same file, which was emptied, with another number. Raises OSError where somebody has removed it."""
        os.rename(self.path, path)
        self.data[: format.HEADER_SIZE] = format.header()
        return Segment(path, number, self.data, is_present=True)

    def has_room(self, length: int, *, is_span: bool) -> bool:
        """Whether a record of so many bytes, of a span or of something else, can be appended."""
        end = self.end + length
        if is_span and self.limit < end <= self._most:
            self._reach(end)
        return end <= (self._most if is_span else self.size)

    def _reach(self, end: int) -> None:
        begin, self.limit = self.limit, min(self._most, end + _AHEAD)
        begin -= begin % mmap.PAGESIZE
        if sys.platform == "linux":
            with suppress(OSError):  # an older kernel: then each page comes when it is first written to
                self.data.madvise(_MADV_POPULATE_WRITE, begin, self.limit - begin)

    def append(self, framed: bytes) -> int:
        """Writes a record, for which there is room; returns its offset."""
        offset = self.end
        end = offset + len(framed)
        self.data[offset:end] = framed
        self.end = end
        return offset

    def records(self) -> int:
        """How many records are in it; for one that is full. 0 when it is removed."""
        with suppress(ValueError):
            self._records = self._records or self.data[: self.end].count(format.MARK)
        return self._records

    def read(self, offset: int) -> bytes | None:
        """The payload of the record at an offset. Raises ValueError when the file is removed."""
        return format.payload_at(self.data, offset)

    def close(self) -> None:
        """Removes the file."""
        self.data.close()
        with suppress(OSError):
            os.unlink(self.path)


def _take_room(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(1 << 16)
    for start in range(0, size, len(zeros)):
        os.write(file, zeros[: size - start])
