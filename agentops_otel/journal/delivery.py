"""Sends again what could not be delivered, as long as the process lives: oldest first, one batch at a time."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Final

from .. import clock
from ..own_threads import start_thread
from ..sessions.worker import Timer, Worker
from ..shield import Shield
from .verdicts import Verdict

if TYPE_CHECKING:
    from .sink import Sink
    from .sinks import Sinks

_SHIELD: Final = Shield("sending again what could not be delivered", on_own_thread=True)
_JUST_NOW: Final = 5.0
"""Seconds in which a collector that did not take anything is not asked again, when the process ends."""


class Delivery:
    """What the journal keeps and no processor will export any more, sent by a thread that is there while it is needed.

    All that decides about the thread is done by the worker, so there is no lock.
    """

    def __init__(self, sinks: Sinks, worker: Worker) -> None:
        self._sinks = sinks
        self._worker = worker
        sinks.wake = self.wake
        self._begin()

    def _begin(self) -> None:
        self._is_sending = False
        self._timer: Timer | None = None
        self._closing = threading.Event()

    def wake(self) -> None:
        """There may be something to send. Safe in finalizers and signal handlers."""
        self._worker.post(self._attend)

    def flush(self, deadline: float) -> bool:
        """Sends what is left, here and now; false if something stays, or time is up (`time.monotonic`).

        The caller has had the processors flushed. A collector that has just failed is not asked again.
        """
        for sink in self._sinks.all():
            sink.ask()
            # Once at least: that waits for a batch that is on its way.
            while self._send_next(sink, deadline) and sink.has_left():
                continue
        self._sinks.losses.say()
        return not any(sink.has_left() for sink in self._sinks.all())

    def close(self, deadline: float | None = None) -> None:
        """The process ends: nothing more is sent, and exports are waited for until then at most."""
        self._closing.set()
        if deadline is not None:
            self._sinks.hurry(deadline)
        self._sinks.losses.say_totals()

    def in_child_after_fork(self) -> None:
        """The thread is not in the child."""
        self._begin()

    def _attend(self) -> None:
        if self._is_sending or self._closing.is_set():
            return
        if self._timer is not None:
            self._worker.cancel(self._timer)
            self._timer = None
        due = [sink.pace.due for sink in self._sinks.all() if sink.has_left()]
        if not due:
            return
        if min(due) > clock.monotonic():
            self._timer = self._worker.post_at(min(due), self._attend)
            return
        self._is_sending = True
        try:
            start_thread(self._send_all, "agentops-otel-delivery")
        except RuntimeError:  # none can be had: the next process sends it
            self._is_sending = False

    def _send_all(self) -> None:
        try:
            with _SHIELD:
                while (sink := self._next()) is not None:
                    started = monotonic()
                    self._send_next(sink)
                    # Half of the time is the collector's own.
                    self._closing.wait(monotonic() - started)
        finally:
            self._worker.post(self._has_sent)

    def _has_sent(self) -> None:
        self._is_sending = False
        self._attend()

    def _next(self) -> Sink | None:
        if self._closing.is_set():
            return None
        now = clock.monotonic()
        return next((sink for sink in self._sinks.all() if sink.has_left() and sink.pace.due <= now), None)

    def _send_next(self, sink: Sink, deadline: float | None = None) -> bool:
        """Sends the next batch; false if that failed, or has to wait."""
        if not sink.lock.acquire(timeout=-1 if deadline is None else max(0.0, deadline - monotonic())):
            return False
        try:
            if deadline is not None and (monotonic() >= deadline or sink.pace.failed_within(_JUST_NOW)):
                return False
            taken = sink.take(sink.pace.most)
            if taken:
                return self._send(sink, taken)
        finally:
            sink.lock.release()
        sink.ask()
        if sink.is_blocked():
            sink.pace.wait()
            return False
        return True

    def _send(self, sink: Sink, taken: list[int]) -> bool:
        journal = self._sinks.journal
        if journal is not None:
            for part, verdict in sink.send_in_parts(journal.read(taken)):
                sink.settle([span.context[1] for span in part if span.context is not None], verdict)
                if verdict is Verdict.FAILED:
                    sink.give_back(taken)
                    sink.pace.failed()
                    sink.pace.slower(len(taken))
                    return False
            sink.pace.delivered()
            sink.pace.faster()
        return True
