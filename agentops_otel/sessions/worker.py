"""The worker: one daemon thread that does what finalizers and signal handlers must not do themselves."""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable
from typing import Any

from .. import clock
from ..own_threads import start_thread
from ..shield import Shield

_SHIELD = Shield("working in the background", on_own_thread=True)

Job = Callable[..., object]


class Timer:
    """A job for later. Cancelled by forgetting the job, from any thread."""

    __slots__ = ("job", "when")

    def __init__(self, when: float, job: Callable[[], object]) -> None:
        self.when = when
        self.job: Callable[[], object] | None = job

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when


class Worker:
    """Runs jobs in the order they were posted, on a thread of its own.

    `post` may be called from anywhere: from a finalizer that the garbage collector runs in the middle of any line
    of any thread, from a signal handler, while the same thread holds any lock. It does nothing but
    `queue.SimpleQueue.put`, which is documented to be re-entrant for this use. The thread is started by `ensure`,
    never by `post`: starting a thread takes locks.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Job, tuple[Any, ...]]] = queue.SimpleQueue()
        self._timers: list[Timer] = []
        self._cancelled = 0
        self._thread: threading.Thread | None = None
        self.is_needed = True
        """Whether `ensure` has something to do."""
        self._starting = threading.Lock()

    def post(self, job: Job, *arguments: Any) -> None:
        """Has the worker call ``job(*arguments)``; safe in finalizers and signal handlers."""
        self._jobs.put((job, arguments))

    def post_at(self, when: float, job: Callable[[], object]) -> Timer:
        """Has the worker call ``job()`` at ``when``, in seconds of `clock.monotonic`, unless cancelled."""
        timer = Timer(when, job)
        self.post(self._add_timer, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forgets a timer; safe from any thread."""
        timer.job = None
        self._cancelled += 1

    def ensure(self) -> None:
        """Starts the thread if it does not run. Not to be called from finalizers and signal handlers."""
        # Not blocking: whoever holds the lock is starting the thread, and may be this very thread, interrupted.
        if self._thread is None and self._starting.acquire(blocking=False):
            try:
                if self._thread is None:
                    self._thread = start_thread(self._run, "agentops-otel")
                    self.is_needed = False
            except RuntimeError:
                # No thread can be had (a limit, or the interpreter is shutting down): `settle` at the exit does
                # the jobs.
                pass
            finally:
                self._starting.release()

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def settle(self, timeout: float) -> None:
        """Waits until every job posted so far is done; does them here if there is no thread.

        A worker that is not done in ``timeout`` seconds is stuck in somebody's span processor; then the rest is
        done here.
        """
        if self.is_alive and threading.current_thread() is not self._thread:
            done = threading.Event()
            self.post(done.set)
            if done.wait(timeout):
                return
        while self._do_next(block=False):
            pass

    def run_within(self, timeout: float, job: Callable[[], object]) -> bool:
        """Runs ``job()`` on another thread and waits at most ``timeout`` seconds; true if it finished."""
        return self.run_elsewhere(job).wait(timeout)

    def run_elsewhere(self, job: Callable[[], object]) -> threading.Event:
        """Runs ``job()`` on another thread; the event is set when it has finished.

        Near the end of the process no thread can be started (Python 3.12 and later); then the worker's is used.
        """
        done = threading.Event()

        def run() -> None:
            try:
                with _SHIELD:
                    job()
            finally:
                done.set()

        try:
            start_thread(run, "agentops-otel-flush")
        except RuntimeError:
            if not self.is_alive or threading.current_thread() is self._thread:
                run()
            else:
                self.post(run)
        return done

    def next_timer(self) -> float | None:
        """When the next timer is due; None without one."""
        first = self._timers[:1]  # a copy: between a look at the length and one at the first the thread may take it
        return first[0].when if first else None

    def fire_timers(self) -> None:
        """Does what is due; for the worker's thread."""
        while self._timers and self._timers[0].when <= clock.monotonic():
            job = heapq.heappop(self._timers).job
            if job is not None:
                with _SHIELD:
                    job()

    def in_child_after_fork(self) -> None:
        """The thread is not in the child, and the queue may have been locked by it for ever."""
        self._reset()

    def _run(self) -> None:
        while True:
            if not self._do_next(block=True):
                self.fire_timers()

    def _do_next(self, *, block: bool) -> bool:
        try:
            job, arguments = self._jobs.get(block, self._until_next_timer() if block else None)
        except queue.Empty:
            return False
        with _SHIELD:
            job(*arguments)
        return True

    def _add_timer(self, timer: Timer) -> None:
        if timer.job is None:
            self._cancelled -= 1
            return
        if self._cancelled > len(self._timers) // 2:
            # Sessions that ended long before their limit must not pile up until it.
            self._timers = [kept for kept in self._timers if kept.job is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0
        heapq.heappush(self._timers, timer)

    def _until_next_timer(self) -> float | None:
        return max(0.0, self._timers[0].when - clock.monotonic()) if self._timers else None
