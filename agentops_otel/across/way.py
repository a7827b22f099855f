"""What all ways across have in common: functions that are wrapped, and the session that work leaves from."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import context, trace

from ..sessions.carrier import carrier_of, without_ids
from ..sessions.record import Record
from ..sessions.registry import Registry
from ..shield import Shield
from .imports import Hook, Imports

Function = Callable[..., Any]

_LEAVING = Shield("taking a session along")


class Way:
    """Functions of other people's modules, wrapped as soon as these are imported, and given back.

    By plain functions: a call through one costs a fifth of what it costs through wrapt.
    """

    def __init__(self, registry: Registry, hooks: Mapping[str, Hook]) -> None:
        self._registry = registry
        self._imports = Imports(hooks)
        self._wrapped: dict[tuple[Any, str], tuple[Function, Function]] = {}
        """What was there, and what we put there, by owner and name."""
        self._is_on = False
        self._installing = threading.Lock()

    def install(self) -> None:
        """Wraps the functions, unless they are. Safe to call from several threads."""
        # Not blocking: whoever holds the lock does it, also if it is held for ever in a forked child.
        if not self._is_on and self._installing.acquire(blocking=False):
            try:
                self._is_on = True
                self._imports.install()
            finally:
                self._installing.release()

    def uninstall(self) -> None:
        """Gives them back. What somebody else has wrapped since cannot be: then our wrapper stays, and does nothing."""
        self._is_on = False
        self._imports.uninstall()
        for (owner, name), (original, wrapper) in list(self._wrapped.items()):
            if vars(owner).get(name) is wrapper:
                setattr(owner, name, original)
                del self._wrapped[owner, name]

    def _wrap(self, owner: Any, name: str, around: Callable[[Function], Function]) -> None:
        """Replaces a function of a class or module by ``around(function)``."""
        if (owner, name) not in self._wrapped:
            function = getattr(owner, name)  # may be wrapped by an object that wants to be asked for it like this
            wrapper = functools.wraps(function)(around(function))
            self._wrapped[owner, name] = vars(owner)[name], wrapper
            setattr(owner, name, wrapper)

    def _session(self) -> Record | None:
        """The session of the calling thread or task; None while nothing is to go along."""
        return self._registry.current() if self._is_on else None

    def _carrier(self) -> dict[str, str] | None:
        """That session for another process, with the current span as parent."""
        record = self._session()
        if record is not None:
            with _LEAVING:  # the baggage is the user's, and may have anything in it
                parent = trace.get_current_span().get_span_context()
                return carrier_of(record, parent, around=without_ids(context.get_current()))
        return None
