"""Signals that kill: SIGTERM and SIGHUP, where nobody else handles them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from ..sessions.worker import Worker

WATCHED = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Signals:
    """Has ``job(signal_name)`` run before one of these signals kills the process.

    A handler runs between any two lines of the main thread, with whatever locks that holds, so it only wakes the
    worker. The worker runs the job, within ``timeout()`` seconds, and sends the signal again; then the handler gives
    it its default action, so the process still dies by that signal, and its parent sees the same status as without
    this package. Meanwhile the main thread goes on. Never raises SystemExit.
    """

    def __init__(self, worker: Worker, job: Callable[[str], object], timeout: Callable[[], float]) -> None:
        self._worker = worker
        self._job = job
        self._timeout = timeout
        self._is_armed = False
        self._pending: int | None = None
        self._is_done = False

    def arm(self) -> bool:
        """Installs the handler over default dispositions, which only the main thread can; false elsewhere."""
        if self._is_armed:
            return True
        if threading.current_thread() is not threading.main_thread():
            return False
        self._is_armed = True
        for watched in WATCHED:
            if signal.getsignal(watched) is signal.SIG_DFL:
                signal.signal(watched, self._handle)
        return True

    def disarm(self) -> None:
        """Gives the signals back, where nobody else has taken them since."""
        if self._is_armed and threading.current_thread() is threading.main_thread():
            self._is_armed = False
            for watched in WATCHED:
                if signal.getsignal(watched) == self._handle:
                    signal.signal(watched, signal.SIG_DFL)

    def in_child_after_fork(self) -> None:
        self._pending = None
        self._is_done = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_done or not self._worker.is_alive:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self._pending is None:  # else the work is under way already
            self._pending = number
            self._worker.post(self._work, number)

    def _work(self, number: int) -> None:
        name = signal.Signals(number).name
        self._worker.run_within(self._timeout(), lambda: self._job(name))
        self._is_done = True
        # To the main thread, which alone runs handlers: a system call it may be waiting in is interrupted.
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, number)
