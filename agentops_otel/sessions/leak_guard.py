"""The leak guard: notices handles and spans that became garbage while they were open.

A finalizer may run anywhere, also while this very thread holds a span's lock or the batch processor's event lock.
So the callbacks here only post a job with the time of death to the worker.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from .. import clock
from .record import Record
from .worker import Worker

if TYPE_CHECKING:
    from .handle import Session

_LONGEST_END = 15.0
"""Seconds that span processors before ours may take for the end of one span."""


class SpanWatch(weakref.ref[trace.Span]):
    """A weak reference to an open span that keeps what the span knows, so that it can end after its death.

    A plain weak reference, because it costs a tenth of a `weakref.finalize`.
    """

    __slots__ = ("ending_since", "kind", "record", "span_id", "state")

    ending_since: float | None
    """When it was first seen to have ended, in seconds of the monotonic clock."""
    kind: type[trace.Span]
    record: Record
    span_id: int
    state: dict[str, Any]

    def revive(self) -> trace.Span:
        """The span, or, if it is gone, a new object of its class with its state: ending it exports it as usual."""
        span = self()
        if span is None:
            span = self.kind.__new__(self.kind)
            span.__dict__ = self.state
        return span


def state_of(span: trace.Span) -> dict[str, Any]:
    """The ``__dict__`` of a span, which keeps what the span knows also when the span is gone."""
    state: dict[Any, Any] = span.__dict__
    if sys.version_info >= (3, 13):
        # There the values are a part of the object, and who holds the dict does not hold them: the garbage collector
        # clears them with an object in a cycle. For a key that is no string the dict takes them over.
        state[0] = None
        del state[0]
    return state


class LeakGuard:
    """Has ``handle_died(record, time)`` and ``span_died(watch, time)`` called by the worker."""

    def __init__(
        self,
        worker: Worker,
        handle_died: Callable[[Record, int], object],
        span_died: Callable[[SpanWatch, int], object],
    ) -> None:
        self._worker = worker
        self._handle_died = handle_died
        self._span_died = span_died
        self._handle_finalized_callback = self._handle_finalized  # one bound method, not one a session
        self._span_finalized_callback = self._span_finalized
        self._root_finalized_callback = self._root_finalized

    def watch_handle(self, handle: Session, record: Record) -> None:
        """From now on, dropping ``handle`` ends the session of ``record``."""
        finalizer = weakref.finalize(handle, self._handle_finalized_callback, record)
        # The exit has a path of its own: finalizers run at exit in an order nobody chose, often after the
        # provider's shutdown.
        finalizer.atexit = False
        record.watch = finalizer

    def watch_root(self, span: trace.Span, record: Record) -> None:
        """From now on, dropping ``span``, which others hold, ends the session of ``record``."""
        record.watch = self._watch(span, record.lasting_context.span_id, record, self._root_finalized_callback)

    def watch_handle_of(self, record: Record) -> None:
        """Watches the handle of a block that is open for a moment; if nobody else holds it, it dies here."""
        handle = record.watch
        if handle is not None and not isinstance(handle, (weakref.finalize, SpanWatch)):
            self.watch_handle(handle, record)
            if not record.is_open:  # it ended meanwhile
                self.unwatch(record)

    def handle_of(self, record: Record) -> Session | None:
        """The handle that owns a session; None when nobody holds it."""
        watch = record.watch
        if isinstance(watch, weakref.finalize):
            found = watch.peek()
            return found[0] if found is not None else None
        return None if isinstance(watch, SpanWatch) else watch

    def unwatch(self, record: Record) -> None:
        """The handle may be dropped from now on."""
        watch, record.watch = record.watch, None
        if isinstance(watch, weakref.finalize):
            watch.detach()

    def watch_spans(self, record: Record) -> bool:
        """Watches the open spans of a session that are still held; true if they have to be looked at again."""
        spans = record.spans or {}
        again = False
        for span_id, held in spans.copy().items():  # in one operation, others start and end meanwhile
            if isinstance(held, SpanWatch):
                watch, span = held, held()
            else:
                watch = self._watch(held, span_id, record, self._span_finalized_callback)
                span = held
                spans[span_id] = watch
            if span is not None and not span.is_recording():
                # It is ending right now, and the processor is about to be told, as soon as others before it are done,
                # which may be exporting; or it was told before the watch was put there, and the watch has to go. In a
                # while that is known.
                if watch.ending_since is None:
                    watch.ending_since = monotonic()
                if monotonic() - watch.ending_since > _LONGEST_END:
                    spans.pop(span_id, None)
                else:
                    again = True
            del held, span  # if nobody else holds it, it dies here, and is found
        return again

    def _watch(
        self, span: trace.Span, span_id: int, record: Record, finalized: Callable[[weakref.ref[trace.Span]], object]
    ) -> SpanWatch:
        watch = SpanWatch(span, finalized)
        watch.kind = type(span)
        watch.state = state_of(span)
        watch.span_id = span_id
        watch.record = record
        watch.ending_since = None
        return watch

    def _handle_finalized(self, record: Record) -> None:
        record.live_context = trace.INVALID_SPAN_CONTEXT  # no context adopts children for it any more
        self._worker.post(self._handle_died, record, clock.time_ns())

    def _root_finalized(self, watch: weakref.ref[trace.Span]) -> None:
        assert isinstance(watch, SpanWatch)
        self._handle_finalized(watch.record)

    def _span_finalized(self, watch: weakref.ref[trace.Span]) -> None:
        self._worker.post(self._span_died, watch, clock.time_ns())
