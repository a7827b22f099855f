"""The span processor: where the SDK tells of spans that start and end."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan

from ..shield import Shield
from .record import Record
from .registry import Registry
from .state import PROVIDER_SHUTDOWN

_SEEING_START = Shield("seeing a span start")
_SEEING_END = Shield("seeing a span end")


class TrackingProcessor(SpanProcessor):
    """Tracks the open spans of sessions. Exports nothing, holds nothing back, never waits.

    More than one on a provider do no harm: a span is tracked once.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._find = registry.find
        self._source: object = None

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        with _SEEING_START:
            span_context = span.get_span_context()
            record = self._find(span_context.trace_id)
            if record is None:
                parent = trace.get_current_span(parent_context)
                if not isinstance(parent, Record):
                    return
                if parent.span is None:
                    # The root of a session that is being started.
                    parent.born(span)
                    self._source = parent.source
                    return
                if parent.lasting_context.trace_id != span_context.trace_id:
                    return
                record = parent  # the session ended just now, between the choice of the parent and here
            self._registry.span_started(record, span, span_context.span_id)

    def on_end(self, span: ReadableSpan) -> None:
        with _SEEING_END:
            span_context = span.get_span_context()
            if span_context is not None:
                record = self._find(span_context.trace_id)
                if record is not None:
                    self._registry.span_ended(record, span, span_context.span_id)

    def shutdown(self) -> None:
        # An explicit shutdown of the provider has a hook of its own; this one is in time only where the processor
        # was added before the exporters.
        if self._source is not None:
            self._registry.end_everything(PROVIDER_SHUTDOWN, self._source)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True
