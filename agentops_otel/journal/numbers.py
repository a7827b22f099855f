"""What many spans name by a number: resources, scopes and exporters, as every file of a journal tells them first."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from . import records
from .format import framed
from .reader import service_of
from .rebuild import Tables

_MOST_OBJECTS: Final = 1000
"""Resources and scopes that are known by their address."""


class Numbers:
    """Gives each of them its number. Thread-safe."""

    def __init__(self, tell: Callable[[bytes], object]) -> None:
        """``tell(frame)`` is called with every record of a table that is new."""
        self._tell = tell
        self._count = itertools.count()
        self.by_address: dict[int, int] = {}
        """The number of a resource or scope, by its address, for who has no time to ask for it."""
        self._objects: list[object] = []
        """Kept, so that nothing else gets their addresses."""
        self._by_content: dict[bytes, int] = {}
        self._sinks: dict[str, int] = {}
        self._sinks_to_tell: dict[str, int] = {}
        self._count_of_sinks = itertools.count()
        self.payloads: list[bytes] = []
        """The records of all of them."""
        self.services: set[str] = set()
        """The ``service.name`` of the resources."""

    def resource(self, resource: Any) -> int:
        self.services.add(service_of(resource))
        return self._number(resource, _resource)

    def scope(self, scope: Any) -> int:
        return self._number(scope, _scope)

    def sink(self, key: str) -> int:
        number = self._sinks.get(key)
        if number is None:
            # It is used only when it has been told, so another thread that asks for it meanwhile tells it, too.
            number = self._sinks_to_tell.setdefault(key, next(self._count_of_sinks))
            self._add(records.encode(records.Sink(number, key)))
            self._sinks[key] = number
        return number

    def tables(self) -> Tables:
        """Resources and scopes as they are read again."""
        tables = Tables()
        for payload in list(self.payloads):
            entry = records.decode(payload)
            if isinstance(entry, (records.Resource, records.Scope)):
                tables.add(entry)
        return tables

    def _number(self, thing: Any, record: Callable[[Any, int], records.Resource | records.Scope]) -> int:
        number = self.by_address.get(id(thing))
        if number is None:
            # Some libraries make a new scope for every span; all of these say the same.
            said = records.encode(record(thing, 0))
            number = self._by_content.get(said)
            if number is None:
                number = self._by_content.setdefault(said, next(self._count))
                self._add(records.encode(record(thing, number)))
            if len(self._objects) >= _MOST_OBJECTS:
                self.by_address, self._objects = {}, []
            self._objects.append(thing)
            self.by_address[id(thing)] = number
        return number

    def _add(self, payload: bytes) -> None:
        self.payloads.append(payload)
        self._tell(framed(payload))


def _resource(resource: Any, number: int) -> records.Resource:
    return records.Resource(number, dict(resource.attributes), resource.schema_url)


def _scope(scope: Any, number: int) -> records.Scope:
    # None in spans of other makers.
    name, version, url = (getattr(scope, attribute, None) for attribute in ("name", "version", "schema_url"))
    return records.Scope(number, name or "", version, url, dict(getattr(scope, "attributes", None) or {}))
