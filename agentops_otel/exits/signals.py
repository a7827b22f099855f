"""Signals that kill: SIGTERM and SIGHUP, where nobody else handles them."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..own_threads import start_thread

WATCHED = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_AGAIN = 0.01
"""Seconds after which who should have died tries again."""


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

    A handler of the program is left alone. But many, when they have done their work, restore the default and send the
    signal again, to die by it as is the custom (web servers do when they have stopped), and between these two lines
    nobody else can act. So `signal.signal` is replaced by a function that takes the signals for us where it was asked
    to make the default their disposition.
    """

    def __init__(self, job: Callable[[str], object]) -> None:
        self._job = job
        self._ours = self._handle
        self._pipes: dict[int, tuple[int, int]] = {}
        """Read and write end for each signal, while it is listened to."""
        self._preparing = threading.Lock()
        self._is_armed = False
        self._dying_of: int | None = None
        self._original: Callable[[int, Any], Any] = signal.signal
        self._replacement: Callable[[int, Any], Any] | None = None

    def arm(self) -> bool:
        """Installs the handlers over default dispositions, which only the main thread can; false elsewhere.

        From any thread: they are installed where a disposition becomes the default from now on.
        """
        if not self._is_armed and self._prepare() and threading.current_thread() is threading.main_thread():
            self._is_armed = True
            for number in self._pipes:
                if signal.getsignal(number) in (signal.SIG_DFL, self._ours):
                    self._take(number)
        return self._is_armed

    def disarm(self) -> None:
        """Gives the signals back, where nobody else has taken them since."""
        if self._pipes and threading.current_thread() is threading.main_thread():
            self._is_armed = False
            for number in self._pipes:
                faulthandler.unregister(number)
                if signal.getsignal(number) == self._ours:
                    self._original(number, signal.SIG_DFL)
            self._close()
            module: Any = signal
            if module.signal is self._replacement:
                module.signal, self._replacement = self._original, None

    def in_child_after_fork(self) -> None:
        """The pipes lead to the parent's listener: a signal to the child must not kill the parent."""
        self._is_armed = False
        self._dying_of = None
        self._preparing = threading.Lock()
        for number in self._pipes:
            faulthandler.unregister(number)
        self._close()

    def _prepare(self) -> bool:
        """Listens from now on: on any thread, and before a handler runs, for that cannot start a thread."""
        # Not blocking: whoever holds the lock does it, and this thread comes by again.
        if not self._pipes and self._preparing.acquire(blocking=False):
            try:
                self._listen_to({number: _pipe() for number in WATCHED})
            finally:
                self._preparing.release()
        return bool(self._pipes)

    def _listen_to(self, pipes: dict[int, tuple[int, int]]) -> None:
        self._replace()
        self._pipes = pipes
        try:
            start_thread(lambda: self._listen(pipes), "agentops-otel-signals")
        except RuntimeError:  # no thread can be had: the signals kill at once
            self._close()
            for reader, _ in pipes.values():
                os.close(reader)

    def _replace(self) -> None:
        if self._replacement is not None:
            return  # and others may have wrapped it since
        module: Any = signal
        original = self._original = module.signal

        @functools.wraps(original)
        def replacement(signalnum: Any, handler: Any) -> Any:
            # Nothing but integers is compared: a handler may be anything that can be called.
            becomes_ours = handler is self._ours or (isinstance(handler, int) and handler == signal.SIG_DFL)
            is_main = threading.current_thread() is threading.main_thread()  # no other can
            if becomes_ours and is_main and signalnum in self._pipes:
                return self._take(signalnum)
            return original(signalnum, handler)

        module.signal = self._replacement = replacement

    def _take(self, number: int) -> Any:
        """Installs our handlers; the handler that was there before."""
        faulthandler.unregister(number)  # not there any more, if somebody has handled the signal meanwhile
        previous = self._original(number, self._ours)
        faulthandler.register(number, file=self._pipes[number][1], all_threads=False, chain=True)
        return previous

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


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    return reader, writer


def _kill(number: int) -> None:
    """The default action of a signal, from a thread that is not the main one."""
    import ctypes

    libc = ctypes.CDLL(None)
    while True:
        # The `signal` module refuses to change a disposition here, and the main thread may not come by for minutes.
        libc.signal(number, signal.SIG_DFL.value)
        os.kill(os.getpid(), number)
        # Still alive: the main thread is on its way through the handler of `faulthandler`, which puts the one before it
        # in place for a moment, and that only notes the signal, for who may not come by.
        threading.Event().wait(_AGAIN)
