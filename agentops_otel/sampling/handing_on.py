"""The way of kept spans to the span processor that exports them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from ..own_threads import start_thread
from ..shield import Shield, absorb

PORTION = 256
"""Spans that are handed on before the processor is asked to export them; a fraction of what the SDK's
`BatchSpanProcessor` can queue, which throws the oldest away when it gets more at a time."""

_FLUSH_MILLIS = 30_000
_FLUSHING = Shield("exporting spans of sessions that are kept")
_WORKING = Shield("handing on spans of sessions that are kept", on_own_thread=True)


class SampledSpan(ReadableSpan):
    """An ended span as it would be had its session been sampled: the flag is set in its span context."""

    def __init__(self, span: ReadableSpan) -> None:
        # The state as it is: copied by the public properties it would lose how much of it was dropped by limits.
        vars(self).update(vars(span))
        self._sampled = _sampled(span.context)
        self._sampled_parent = None if span.parent is None else _sampled(span.parent)

    @property
    def context(self) -> SpanContext:
        return self._sampled

    def get_span_context(self) -> SpanContext:
        return self._sampled

    @property
    def parent(self) -> SpanContext | None:
        return self._sampled_parent


def _sampled(context: SpanContext) -> SpanContext:
    trace_id, span_id, is_remote, flags, trace_state, *_ = context
    return SpanContext(trace_id, span_id, is_remote, TraceFlags(flags | TraceFlags.SAMPLED), trace_state)


class HandingOn:
    """Hands spans on, in portions, on a thread of its own.

    The end of a session must not wait for an export, and a batch processor that gets a long session at once drops
    most of it. `post` is safe in finalizers: it does nothing but `queue.SimpleQueue.put`.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        self._processor = processor
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()  # never waited for
        self._handed_on = 0

    def ensure(self) -> None:
        """Starts the thread, once. Not to be called from finalizers."""
        if self._thread is None and self._starting.acquire(blocking=False):
            # No thread may be had, by a limit or because the interpreter shuts down: then `settle` does the jobs.
            with contextlib.suppress(RuntimeError):
                self._thread = start_thread(self._run, "agentops-otel-sampling")
            self._starting.release()

    def post(self, job: Callable[[], object]) -> None:
        """Has the thread call ``job()``."""
        self._jobs.put(job)

    def settle(self, timeout: float) -> bool:
        """Waits until what was posted so far is done, at most ``timeout`` seconds; false if it was not."""
        done = threading.Event()
        self.post(done.set)
        if self._thread is None or not self._thread.is_alive():
            self._do_all()
        return done.wait(timeout)

    def stop(self) -> None:
        """Ends the thread when what was posted so far is done."""
        self._jobs.put(None)

    def hand_on(self, span: ReadableSpan) -> None:
        """Hands a span on, and waits for the export of each portion; to be called in a job."""
        try:
            self._processor.on_end(SampledSpan(span))
        except Exception as error:  # noqa: BLE001
            absorb("handing on a span of a session that is kept", error)
        self._handed_on += 1
        if self._handed_on % PORTION == 0:
            with _FLUSHING:
                self._processor.force_flush(_FLUSH_MILLIS)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            with _WORKING:
                job()

    def _do_all(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    job()
