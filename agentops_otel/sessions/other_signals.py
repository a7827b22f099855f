"""Logs and metrics: what sessions say beside their spans, where the program wants to hear it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..shield import Shield
from .by_identity import ByIdentity
from .events import SessionEvents, logger_provider
from .metrics import SessionMetrics, meter_provider
from .observer import Observer
from .registry import Registry

if TYPE_CHECKING:
    from .log_processor import TrackingLogProcessor

_ATTACHING = Shield("attaching to the providers of logs and metrics")


class OtherSignals:
    """The global LoggerProvider and MeterProvider of the SDK, as soon as they are there."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._events = SessionEvents()
        self._logs: Any = None
        self._metrics: Any = None
        self._processors: ByIdentity[Any, TrackingLogProcessor] = ByIdentity()
        self._meters: ByIdentity[Any, SessionMetrics] = ByIdentity()
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
                observers.append(self._metrics_of(metrics))
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
        """Says nothing any more, until the next `look`, which finds everything new."""
        for processor in self._processors.values():
            processor.is_on = False
        self._logs = self._metrics = None
        self._registry.observers = ()

    def _attach_processor(self, provider: Any) -> None:
        # Imported here: it needs the SDK's logs, which are there if there is such a provider.
        from .log_processor import TrackingLogProcessor, attach

        with _ATTACHING:
            processor = self._processors.get(provider)
            if processor is None:
                self._processors[provider] = processor = TrackingLogProcessor(self._registry)
                attach(provider, processor)
            processor.is_on = True

    def _metrics_of(self, provider: Any) -> SessionMetrics:
        # A meter keeps what it observes: made twice, every open session would be counted twice.
        found = self._meters.get(provider)
        if found is None:
            self._meters[provider] = found = SessionMetrics(provider, __version__, self._registry.open_count)
        return found
