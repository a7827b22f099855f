"""Connections that a forked child has from its parent.

An HTTP client keeps them open, and after a fork both processes have the same socket: what they send gets mixed up, and
one may read the answer to what the other has sent, so that spans count as delivered that nobody has taken. So the
exporters in a child get connections of their own. The parent's are not closed there: that may say something on them.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Collection, Iterator
from typing import Any, Final

from ..shield import Shield

_PARTING: Final = Shield("giving an exporter in a forked child connections of its own")
_DEEPEST: Final = 4
"""Objects within objects that an exporter keeps its client in."""

_of_the_parent: list[object] = []
"""Kept, so that nothing closes them, nor waits for a lock that a thread of the parent held."""


def part_from_parent(exporter: object) -> None:
    """Gives every `requests` session of an exporter fresh connections, with the same settings. For a forked child."""
    requests: Any = sys.modules.get("requests")
    if requests is None:
        return
    with _PARTING:
        packages = {"opentelemetry", _package(exporter)}
        for session in _sessions(exporter, requests.Session, packages, _DEEPEST):
            for prefix, adapter in list(session.adapters.items()):
                _of_the_parent.append(adapter)
                session.adapters[prefix] = copy.copy(adapter)  # by its settings alone, as if it were pickled
            if isinstance(session.cookies, requests.cookies.RequestsCookieJar):
                _of_the_parent.append(session.cookies)  # they have a lock, too
                session.cookies = session.cookies.copy()


def _sessions(thing: object, kind: type, packages: Collection[str], depth: int) -> Iterator[Any]:
    """The sessions among the attributes of an object, and of objects of these packages that it has there."""
    for value in list(getattr(thing, "__dict__", {}).values()):
        if isinstance(value, kind):
            yield value
        elif depth and _package(value) in packages:
            yield from _sessions(value, kind, packages, depth - 1)


def _package(thing: object) -> str:
    return type(thing).__module__.partition(".")[0]
