"""How records stand in a file.

A file begins with a header that says what it is and in which version. Records follow, each with a mark, its length and
a checksum. So a record that was torn by the death of its writer, or damaged later, is noticed and costs only itself:
the next one is found by its mark. The unwritten rest of a file is zeros.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import Final
from zlib import adler32

VERSION: Final = 2
"""Of the first one records had another checksum, and an end stood whole."""

EMPTY: Final = 2**32 - 1
"""The version of a file that is about to be emptied: nothing counts that still stands in it. Far from the others, so
that one damaged byte does not make it of them."""

_MAGIC: Final = b"agentops-journal"
_HEADER: Final = struct.Struct("<16sI")
MARK: Final = b"\xa7\x0aJ\x1e"
"""What every record begins with."""

FRAME: Final = struct.Struct("<4sII")
"""Its mark, its length and its checksum."""

checksum: Final = adler32
"""Of a payload; or of the rest of one, given the checksum of what is before it. It notices any changed byte and any
torn end, and takes a third of a CRC-32, whose tables drive out of the processor's cache what the program needs next."""

HEADER_SIZE: Final = _HEADER.size
FRAME_SIZE: Final = FRAME.size

MOST_BYTES: Final = 2**24
"""Of one record. A length beyond it is damage."""

_MOST_IN_VAIN: Final = 16
"""Times its length that a file is read in search of a whole record; one that was made for it would take hours."""


class NotAJournal(ValueError):
    """A file of something else, or of a version that is not known here."""


def header(version: int = VERSION) -> bytes:
    """What a file begins with."""
    return _HEADER.pack(_MAGIC, version)


def framed(payload: bytes) -> bytes:
    """A record as it stands in a file."""
    return FRAME.pack(MARK, len(payload), checksum(payload)) + payload


def has_records(data: bytes | mmap.mmap) -> bool:
    """False for a file that is about to be emptied. Raises NotAJournal for what is not a file of this version."""
    if len(data) < HEADER_SIZE:
        raise NotAJournal("it is too short")
    magic, version = _HEADER.unpack(data[:HEADER_SIZE])
    if magic != _MAGIC:
        raise NotAJournal("it is no journal")
    if version not in (VERSION, EMPTY):
        raise NotAJournal(f"it is a journal of version {version}, and this is version {VERSION}")
    return bool(version != EMPTY)


def payload_at(data: bytes | mmap.mmap, offset: int) -> bytes | None:
    """The payload of the record at ``offset``; None if there is none, or it is damaged."""
    if not 0 <= offset <= len(data) - FRAME_SIZE:
        return None
    mark, length, check = FRAME.unpack(data[offset : offset + FRAME_SIZE])
    if mark != MARK or length > MOST_BYTES:
        return None
    payload = data[offset + FRAME_SIZE : offset + FRAME_SIZE + length]
    return payload if len(payload) == length and checksum(payload) == check else None


def payloads(data: bytes | mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """The offset and payload of every record that is whole.

    Raises NotAJournal at once for what is not a file of this version.
    """
    return _payloads(data) if has_records(data) else iter(())


def _payloads(data: bytes | mmap.mmap) -> Iterator[tuple[int, bytes]]:
    offset = HEADER_SIZE
    in_vain = 0
    while 0 <= offset < len(data) and in_vain <= _MOST_IN_VAIN * len(data):
        payload = payload_at(data, offset)
        if payload is not None:
            yield offset, payload
            offset += FRAME_SIZE + len(payload)
        else:  # the end, or damage: then there are more behind it
            in_vain += _length_at(data, offset)
            offset = data.find(MARK, offset + 1)


def _length_at(data: bytes | mmap.mmap, offset: int) -> int:
    """The bytes that `payload_at` had to look at."""
    frame = data[offset : offset + FRAME_SIZE]
    length = FRAME.unpack(frame)[1] if len(frame) == FRAME_SIZE else 0
    return min(length, MOST_BYTES, len(data) - offset)
