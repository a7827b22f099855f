"""The parts of this room, joined: the journal, the exporters, what is sent again, and what others have left."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .. import clock, config
from ..sessions.registry import Registry
from .delivery import Delivery
from .losses import Loss
from .sinks import Sinks

if TYPE_CHECKING:
    from .recovery import Recovery

_IDLE: Final = 2.0
"""Seconds that a process waits for its first span before it looks itself who could recover what others have left; with
each time that it finds nobody twice as many."""


class Afterlife:
    """What lets the spans of this process arrive when it is gone, or a collector was away."""

    def __init__(
        self,
        registry: Registry,
        settings: config.Config,
        providers: Callable[[], Collection[object]],
        *,
        is_child: bool = False,
    ) -> None:
        """``providers``: the TracerProviders that are known.

        ``is_child``: this process was forked, and may have its parent's exporters.
        """
        self._registry = registry
        self._settings = settings
        self._providers = providers
        self._recovery: Recovery | None = None
        self._services: set[str] = set()
        """The ``service.name`` of providers that were looked at."""
        self._sinks = Sinks(registry.worker, is_child=is_child)
        self._delivery = Delivery(self._sinks, registry.worker)
        if settings.journal:
            self._begin()
        self._sinks.install()

    def flush(self, deadline: float) -> bool:
        """Sends what could not be delivered, here or by others; false if something is left.

        ``deadline``: in seconds of `time.monotonic`.
        """
        sent = self._delivery.flush(deadline)
        return (self._recovery is None or self._recovery.flush(deadline)) and sent

    def close(self, deadline: float | None = None) -> None:
        """The process ends, and should not wait longer than until ``deadline`` for what is exported after this."""
        self._delivery.close(deadline)
        if self._sinks.journal is not None:
            self._sinks.journal.close()

    def release(self) -> None:
        """Gives the exporters back, and what they are about to export. What could not be delivered stays on disk."""
        self._registry.keeper = None
        for sink in self._sinks.all():
            sink.let_go()
        self._sinks.uninstall()
        self._delivery.close()
        if self._sinks.journal is not None:
            self._sinks.journal.close(forget_open=True)

    def in_child_after_fork(self) -> None:
        """What was written and is being sent is the parent's business."""
        if self._sinks.journal is not None:
            self._sinks.journal.leave()
        if self._recovery is not None:
            self._recovery.in_child_after_fork()
        self._sinks.in_child_after_fork()
        self._delivery.in_child_after_fork()
        if self._settings.journal:
            self._begin()

    def _begin(self) -> None:
        # Imported here: who wants no journal needs no msgpack.
        from .places import Place, default_directory
        from .recovery import Recovery
        from .writer import Journal

        place = Place(Path(self._settings.journal_directory or default_directory()))
        losses = self._sinks.losses
        journal = Journal(
            place, config.run_id(), os.getpid(), self._soon, lambda spans: losses.add(Loss.JOURNAL_FULL, spans)
        )
        self._registry.keeper = self._sinks.journal = journal
        recovery = self._recovery = Recovery(
            place, self._sinks.all, self._soon, lambda: journal.services() | self._services
        )
        self._sinks.on_new = [lambda sink: recovery.start()]
        if place.has_dead():
            # Spans make exporters known; but a server that was killed and started again may wait long for its first.
            self._registry.worker.ensure()
            self._soon(_IDLE, lambda: self._look(recovery, _IDLE))

    def _look(self, recovery: Recovery, waited: float) -> None:
        """Looks for exporters, and has those recover that there are."""
        from .reader import service_of

        if self._sinks.is_on and recovery is self._recovery:
            for provider in self._providers():
                resource = getattr(provider, "resource", None)
                if resource is not None:
                    self._services.add(service_of(resource))
                self._sinks.look_at(provider)
            if self._sinks.all():  # in a forked child they are known already
                recovery.start()
            else:
                self._soon(2 * waited, lambda: self._look(recovery, 2 * waited))

    def _soon(self, seconds: float, job: Callable[[], object]) -> None:
        self._registry.worker.post_at(clock.monotonic() + seconds, job)
