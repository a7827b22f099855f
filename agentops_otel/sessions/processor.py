"""The span processor: where the SDK tells of spans that start and end."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan

from ..shield import absorb
from .record import Record
from .registry import Registry
from .state import PROVIDER_SHUTDOWN


class TrackingProcessor(SpanProcessor):
    """Tracks the open spans of sessions. Exports nothing, holds nothing back, never waits.

    More than one on a provider do no harm: a span is tracked once.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        # Bound once: these four are on the path of every span.
        self._open, self._over = registry.lookups()
        self._span_started = registry.span_started
        self._span_ended = registry.span_ended
        self._source: object = None

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        try:
            # Taken apart as the tuple that it is: its properties are Python calls.
            trace_id, span_id = span.get_span_context()[:2]
            record = self._open(trace_id) or self._over(trace_id)
            if record is None:
                record = self._parent_record(span, parent_context)
                if record is None:
                    return
            self._span_started(record, span, span_id)
        except Exception as error:  # noqa: BLE001
            absorb("seeing a span start", error)

    def on_end(self, span: ReadableSpan) -> None:
        try:
            trace_id, span_id = (span.get_span_context() or trace.INVALID_SPAN_CONTEXT)[:2]
            record = self._open(trace_id) or self._over(trace_id)
            if record is not None:
                self._span_ended(record, span, span_id)
        except Exception as error:  # noqa: BLE001
            absorb("seeing a span end", error)

    def _parent_record(self, span: SdkSpan, parent_context: Context | None) -> Record | None:
        """The session of a span whose trace is not known; takes in the root of one that is being started."""
        parent = trace.get_current_span(parent_context)
        if not isinstance(parent, Record):
            return None
        if parent.span is None:
            parent.born(span)
            self._source = parent.source
            return None
        # Known or not: a session may have ended just now, between the choice of the parent and here.
        return parent if parent.lasting_context.trace_id == span.get_span_context().trace_id else None

    def shutdown(self) -> None:
        # An explicit shutdown of the provider has a hook of its own; this one is in time only where the processor
        # was added before the exporters.
        if self._source is not None:
            self._registry.end_everything(PROVIDER_SHUTDOWN, self._source)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True
