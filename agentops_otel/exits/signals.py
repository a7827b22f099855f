"""Signals that kill: SIGTERM and SIGHUP, where nobody else handles them."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType

from ..sessions.worker import start_thread

WATCHED = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Signals:
    """Has ``job(signal_name)`` run before one of these signals kills the process.

    A thread of its own listens, runs the job and then lets the signal do what it would have done: the process dies
    by it, and its parent sees the same status as without this package. Never raises SystemExit, and the main thread
    goes on meanwhile.

    A handler of the `signal` module runs between two lines of the main thread, with whatever locks that holds, so
    ours only writes to a pipe. But it does not run while the main thread is in native code, be it for minutes; the
    handler of `faulthandler` does, for it is written in C and writes its report to a file descriptor at once: here
    to the same pipe. It then calls the one before it, so whoever looks finds an ordinary handler, can call it, and
    can put it back.
    """

    def __init__(self, job: Callable[[str], object]) -> None:
        self._job = job
        self._pipes: dict[int, tuple[int, int]] = {}
        """Read and write end for each signal that is listened to."""
        self._is_armed = False
        self._dying_of: int | None = None

    def arm(self) -> bool:
        """Installs the handlers over default dispositions, which only the main thread can; false elsewhere."""
        if self._is_armed:
            return True
        if threading.current_thread() is not threading.main_thread():
            return False
        self._is_armed = True
        for number in WATCHED:
            if signal.getsignal(number) in (signal.SIG_DFL, self._handle):
                self._watch(number)
        if self._pipes:
            pipes = dict(self._pipes)
            try:
                start_thread(lambda: self._listen(pipes), "agentops-otel-signals")
            except RuntimeError:  # no thread can be had: the signals kill at once
                self.disarm()
        return True

    def disarm(self) -> None:
        """Gives the signals back, where nobody else has taken them since."""
        if self._is_armed and threading.current_thread() is threading.main_thread():
            self._is_armed = False
            for number in self._pipes:
                faulthandler.unregister(number)
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, signal.SIG_DFL)
            self._close()

    def in_child_after_fork(self) -> None:
        """The pipes lead to the parent's listener: a signal to the child must not kill the parent."""
        self._is_armed = False
        self._dying_of = None
        for number in self._pipes:
            faulthandler.unregister(number)
        self._close()

    def _watch(self, number: int) -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.signal(number, self._handle)
        faulthandler.register(number, file=writer, all_threads=False, chain=True)
        self._pipes[number] = reader, writer

    def _handle(self, number: int, frame: FrameType | None) -> None:
        pipe = self._pipes.get(number)
        if pipe is None:  # nobody listens: a forked child without a session of its own
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self._dying_of = number
        with contextlib.suppress(BlockingIOError):  # full: the listener has been told often enough
            os.write(pipe[1], b"!")

    def die_of_pending(self, timeout: float) -> None:
        """If a signal is about to kill the process, keeps it from exiting otherwise: waits for that end."""
        number = self._dying_of
        if number is not None:
            threading.Event().wait(timeout)
            _kill(number)  # the listener is stuck

    def _listen(self, pipes: dict[int, tuple[int, int]]) -> None:
        numbers = {reader: number for number, (reader, _) in pipes.items()}
        while numbers:
            ready, _, _ = select.select(list(numbers), [], [])
            for reader in ready:
                if not os.read(reader, 65_536):  # the write end is closed: disarmed
                    os.close(reader)
                    del numbers[reader]
                    continue
                number = numbers[reader]
                self._job(signal.Signals(number).name)
                _kill(number)

    def _close(self) -> None:
        pipes, self._pipes = self._pipes, {}
        for _, writer in pipes.values():
            os.close(writer)


def _kill(number: int) -> None:
    """The default action of a signal, from a thread that is not the main one."""
    import ctypes

    # The `signal` module refuses to change a disposition here, and the main thread may not come by for minutes.
    ctypes.CDLL(None).signal(number, signal.SIG_DFL.value)
    os.kill(os.getpid(), number)
