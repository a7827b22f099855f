"""Logs and metrics: what sessions say beside their spans, where the program wants to hear it."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from .. import __version__
from ..shield import Shield
from .events import SessionEvents, logger_provider
from .metrics import SessionMetrics, meter_provider
from .observer import Observer
from .registry import Registry

_ATTACHING = Shield("attaching to the providers of logs and metrics")


class OtherSignals:
    """The global LoggerProvider and MeterProvider of the SDK, as soon as they are there."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._events = SessionEvents()
        self._logs: Any = None
        self._metrics: Any = None
        self._has_processor: weakref.WeakSet[Any] = weakref.WeakSet()
        self._attaching = threading.RLock()

    def look(self) -> bool:
        """Attaches to what is new; true if something was."""
        logs, metrics = logger_provider(), meter_provider()
        if logs is self._logs and metrics is self._metrics:
            return False
        with self._attaching:  # the first sessions of two threads are told of, and each provider is attached to once
            return self._attach(logs, metrics)

    def _attach(self, logs: Any, metrics: Any) -> bool:
        if logs is self._logs and metrics is self._metrics:
            return False
        observers: list[Observer] = []
        if logs is not None:
            observers.append(self._events)
            self._attach_processor(logs)
        if metrics is not None:
            with _ATTACHING:
                observers.append(SessionMetrics(metrics, __version__, self._registry.open_count))
        self._logs, self._metrics = logs, metrics
        self._registry.observers = tuple(observers)
        return True

    def in_child_after_fork(self) -> None:
        """A thread that is not in the child may have held the lock."""
        self._attaching = threading.RLock()

    def providers(self) -> list[Any]:
        """Those there are, to be flushed."""
        return [provider for provider in (logger_provider(), meter_provider()) if provider is not None]

    def forget(self) -> None:
        """Starts anew: the next `look` finds everything new."""
        self._logs = self._metrics = None
        self._registry.observers = ()

    def _attach_processor(self, provider: Any) -> None:
        # Imported here: it needs the SDK's logs, which are there if there is such a provider.
        from .log_processor import TrackingLogProcessor, attach

        with _ATTACHING:
            if provider not in self._has_processor:
                self._has_processor.add(provider)
                attach(provider, TrackingLogProcessor(self._registry))
