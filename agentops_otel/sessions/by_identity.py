"""Values by weakly held objects that are told apart by what they are, not by what they are equal to."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ByIdentity(Generic[K, V]):
    """Like a `weakref.WeakKeyDictionary`, also for keys that cannot be hashed: some vendors' providers cannot.

    A value is forgotten when its key is garbage. Every method is safe to call from several threads.
    """

    def __init__(self) -> None:
        self._found: dict[int, tuple[weakref.ref[K], V]] = {}

    def get(self, key: K) -> V | None:
        found = self._found.get(id(key))
        return None if found is None else found[1]

    def __setitem__(self, key: K, value: V) -> None:
        number = id(key)
        # The number is free for another object only after this was called.
        self._found[number] = weakref.ref(key, lambda _: self._found.pop(number, None)), value

    def pop(self, key: K) -> V | None:
        found = self._found.pop(id(key), None)
        return None if found is None else found[1]

    def __iter__(self) -> Iterator[K]:
        """The keys that are alive."""
        return iter([key for held, _ in list(self._found.values()) if (key := held()) is not None])

    def values(self) -> list[V]:
        return [value for _, value in list(self._found.values())]

    def __len__(self) -> int:
        return len(self._found)

    def clear(self) -> None:
        self._found.clear()
