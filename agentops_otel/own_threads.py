"""Threads of this package."""

from __future__ import annotations

import contextvars
import signal
import threading
from collections.abc import Callable

_FOR_MAIN_THREAD = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def start_thread(job: Callable[[], object], name: str) -> threading.Thread:
    """Starts a daemon thread; RuntimeError where none can be had.

    In an empty context: one that is started in a session would belong to it, for good. And deaf to signals as long as
    the interpreter does not know it yet, or not any more: it could take one that is for the main thread, which then
    hears of it only when it wakes up for something else, maybe never.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            job()
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_MAIN_THREAD)

    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_MAIN_THREAD)
        contextvars.Context().run(thread.start)
    finally:  # also when Ctrl-C is pressed just now
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread
