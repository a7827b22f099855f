"""Values of any kind as JSON of a bounded size, without running any code of theirs.

A ``__repr__`` may ask a database, show a password or never return, and iterating over an iterator empties it. So only
what is data by its type is looked into: built-in scalars and containers, enumerations, dataclasses and pydantic models
(without the fields that their own ``repr`` leaves out), dates, decimals, paths and the like. Of everything else the
name of the class is written.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import json
import math
from collections import deque
from collections.abc import Iterable
from typing import Any

from ..shield import absorb, encodable

LIMIT = 16 * 1024
"""Bytes of UTF-8 that the JSON of one value may have."""
DEPTH = 8
"""Containers in one another that are looked into."""
ITEMS = 100
"""Items of one container, or of a generator, that are written."""

_RESERVED = 640
"""Bytes for what is written even where there is no room: the marks and closing brackets of all levels, and the one
number or name that goes over the limit."""
_LARGEST_INT = 256
"""Bits of an integer that is written out."""

_ARRAYS: tuple[Any, ...] = (list, tuple, set, frozenset, deque, type({}.keys()), type({}.values()))
_MISSING = object()
_READABLE = frozenset(
    {
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "decimal.Decimal",
        "fractions.Fraction",
        "ipaddress.IPv4Address",
        "ipaddress.IPv6Address",
        "pathlib.PosixPath",
        "pathlib.PurePosixPath",
        "pathlib.PureWindowsPath",
        "pathlib.WindowsPath",
        "pathlib._local.PosixPath",
        "pathlib._local.PurePosixPath",
        "pathlib._local.PureWindowsPath",
        "pathlib._local.WindowsPath",
        "uuid.UUID",
    }
)
"""Classes of the standard library that are written as their ``str``. By name: not every program imports them."""

_quoted = json.JSONEncoder(ensure_ascii=False).encode


def encode(value: object, limit: int = LIMIT) -> str:
    """``value`` as JSON of at most ``limit`` bytes (which must be 1024 or more). Never raises.

    What is cut ends in a ``…`` that says how much there was. NaN and infinities, for which JSON has no word, are
    strings.
    """
    try:
        writer = _Writer(limit - _RESERVED)
        writer.write(value)
        return "".join(writer.parts)
    except Exception as error:  # noqa: BLE001
        absorb("encoding the arguments or the result of a function", error)
    return _quoted(f"<not encoded: {type(value).__name__}>"[:_RESERVED])  # another thread is changing it


class Items:
    """What a generator yields, as a JSON array. Each item is encoded when it comes: it may change afterwards."""

    def __init__(self) -> None:
        self._encoded: list[str] = []
        self._count = 0
        self._room = LIMIT - _RESERVED

    @property
    def has_room(self) -> bool:
        """Whether the next item can be kept."""
        return self._count < ITEMS and self._room >= 2 * _RESERVED

    def keep(self, item: object) -> None:
        """Counts and encodes an item."""
        self._count += 1
        self._encoded.append(encode(item, self._room))
        self._room -= _size(self._encoded[-1]) + 1

    def skip(self) -> None:
        """Counts an item."""
        self._count += 1

    def encode(self) -> str:
        """The array; where it is cut its last item says how many there were."""
        cut = [] if self._count == len(self._encoded) else [_quoted(_cut(self._count, "items"))]
        return f"[{','.join(self._encoded + cut)}]"


class _Writer:
    """Writes JSON as long as there is room, and then only what makes it valid."""

    def __init__(self, room: int) -> None:
        self.parts: list[str] = []
        self._room = room
        self._around: list[object] = []
        """The containers that are being written: one of them may be in itself."""

    def write(self, value: Any) -> None:
        kind = type(value)  # not isinstance, which asks an object for its __class__
        if issubclass(kind, enum.Enum):
            self.write(object.__getattribute__(value, "_value_"))
        elif issubclass(kind, str):
            self._write_text(value)
        elif (scalar := _scalar(value, kind)) is not None:
            self._put(scalar)
        else:
            self._write_container(value, kind)

    def _write_text(self, text: str) -> None:
        length = str.__len__(text)
        room = max(self._room, 0)
        kept = encodable(str.__getitem__(text, slice(room)))
        while kept and _size(_quoted(kept)) > room:  # quoted it is longer
            kept = kept[: len(kept) * room // _size(_quoted(kept))]
        self._put(_quoted(kept if len(kept) == length else kept + _cut(length, "characters")))

    def _write_container(self, value: Any, kind: type) -> None:
        if any(value is outer for outer in self._around):
            self._write_text(f"<cycle: {_name(kind)}>")
        elif len(self._around) == DEPTH:
            self._write_text(f"<too deep: {_name(kind)}>")
        else:
            self._around.append(value)
            self._write_data(value, kind)
            self._around.pop()

    def _write_data(self, value: Any, kind: type) -> None:
        for base in _ARRAYS:
            if issubclass(kind, base):
                # At once, and not by the methods of a subclass: a list may be changed by another thread.
                self._write_array(list(itertools.islice(base.__iter__(value), ITEMS)), base.__len__(value))
                return
        if issubclass(kind, dict):
            self._write_object(list(itertools.islice(dict.items(value), ITEMS)), dict.__len__(value))
        elif (names := _field_names(kind)) is not None:
            fields = [(name, _attribute(value, name)) for name in names[:ITEMS]]
            self._write_object([field for field in fields if field[1] is not _MISSING], len(names))
        elif _name(kind) in _READABLE:
            self._write_text(str(value))
        else:
            self._write_text(f"<{_name(kind)}>")

    def _write_array(self, items: Iterable[Any], total: int) -> None:
        self._put("[")
        written = 0
        for item in items:
            if self._room <= 0:
                break
            self._separate(written)
            self.write(item)
            written += 1
        if written < total:
            self._separate(written)
            self._put(_quoted(_cut(total, "items")))
        self._put("]")

    def _write_object(self, items: Iterable[tuple[Any, Any]], total: int) -> None:
        self._put("{")
        written = 0
        for key, item in items:
            if self._room <= 0:
                break
            self._separate(written)
            self._write_key(key)
            self._put(":")
            self.write(item)
            written += 1
        if written < total:
            self._separate(written)
            self._put(f'"…":{_quoted(f"{total} items")}')
        self._put("}")

    def _write_key(self, key: Any) -> None:
        kind = type(key)
        if issubclass(kind, str):
            self._write_text(key)
        else:
            self._write_text((_scalar(key, kind) or f"<{_name(kind)}>").strip('"'))

    def _separate(self, written: int) -> None:
        if written:
            self._put(",")

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self._room -= _size(text)


def _scalar(value: Any, kind: type) -> str | None:
    """The JSON of a value that contains no others and is no text."""
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if issubclass(kind, int):
        bits = int.bit_length(value)
        return int.__repr__(value) if bits <= _LARGEST_INT else f'"<int of {bits} bits>"'
    if issubclass(kind, float):
        text = float.__repr__(value)
        return text if math.isfinite(value) else f'"{text}"'
    for base in (bytes, bytearray):
        if issubclass(kind, base):
            return f'"<{base.__len__(value)} bytes>"'
    return f'"<{value.nbytes} bytes>"' if kind is memoryview else None


def _field_names(kind: type) -> list[str] | None:
    """The fields of a class that is data: those that it shows of itself."""
    fields = getattr(kind, "__pydantic_fields__", None)
    if type(fields) is dict:
        return [name for name, field in fields.items() if field.repr]
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if field.repr]
    return None


def _attribute(value: object, name: str) -> object:
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return _MISSING


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _cut(total: int, what: str) -> str:
    return f"… ({total} {what})"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
