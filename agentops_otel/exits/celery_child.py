"""The end of a child of Celery's prefork pool, which runs neither ``atexit`` callbacks nor finalizers."""

from __future__ import annotations

import sys
from collections.abc import Callable


class CeleryChild:
    """Calls ``job()`` before a child of a Celery worker ends: stopped, recycled after its last task, or terminated.

    Such a child ends by ``os._exit``, but sends the signal ``worker_process_shutdown`` before, and the worker waits
    for it. Does not import Celery: in a child of it, it is there.
    """

    def __init__(self, job: Callable[[], object]) -> None:
        self._job = job
        self._is_connected = False

    def arm(self) -> None:
        """Connects the job, once, where Celery is imported: in such a child at the latest as soon as it is forked."""
        signals = sys.modules.get("celery.signals")
        if signals is not None and not self._is_connected:
            # A child inherits what is connected, and must not ask for the lock of the signal: a thread of its parent
            # may have held it at the fork.
            self._is_connected = True
            signals.worker_process_shutdown.connect(self._run, weak=False)

    def disarm(self) -> None:
        signals = sys.modules.get("celery.signals")
        if signals is not None and self._is_connected:
            self._is_connected = False
            signals.worker_process_shutdown.disconnect(self._run)

    def _run(self, **named: object) -> None:
        self._job()
