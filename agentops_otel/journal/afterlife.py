"""The parts of this room, joined: the journal, the exporters, what is sent again, and what others have left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import clock, config
from ..sessions.registry import Registry
from .delivery import Delivery
from .losses import Loss
from .sinks import Sinks

if TYPE_CHECKING:
    from .recovery import Recovery


class Afterlife:
    """What lets the spans of this process arrive when it is gone, or a collector was away."""

    def __init__(self, registry: Registry, settings: config.Config, *, is_child: bool = False) -> None:
        """``is_child``: this process was forked, and may have its parent's exporters."""
        self._registry = registry
        self._settings = settings
        self._recovery: Recovery | None = None
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
        recovery = self._recovery = Recovery(place, self._sinks.all, self._soon, journal.services)
        self._sinks.on_new = [lambda sink: recovery.start()]

    def _soon(self, seconds: float, job: Callable[[], object]) -> None:
        self._registry.worker.post_at(clock.monotonic() + seconds, job)
