"""The two sides of every comparison: the raw SDK, and the same with sessions."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.util.types import AttributeValue

REQUEST = {"server.address": "127.0.0.1", "http.request.method": "POST"}
"""Two attributes that a child span has from its start ..."""

RESPONSE: dict[str, AttributeValue] = {"http.response.status_code": 200, "network.protocol.version": "1.1"}
"""... and two that are set on it when the answer is there, one by one, as instrumentations do."""

CONTENT: dict[str, AttributeValue] = {
    "code.file.path": __file__,
    "code.line.number": 21,
    "code.function.name": "benchmarks.pipelines.session",
    "gen_ai.operation.name": "session",
}
"""What a session writes on its root beside the id: the raw side writes the same, so that the cost of tracking is
compared, not the size of the content."""

END_CONTENT: dict[str, AttributeValue] = {
    "agentops.session.end_state": "success",
    "agentops.session.end_reason": "completed",
}


class Discard(SpanExporter):
    """Exports nowhere, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.count += len(spans)
        return SpanExportResult.SUCCESS


class RawBatch(BatchSpanProcessor):
    """A batch processor as it was before this package was in the program."""

    on_end = BatchSpanProcessor.on_end


def provider(
    exporter: SpanExporter | None = None, *, batch: int = 32_768, kind: type[BatchSpanProcessor] = BatchSpanProcessor
) -> TracerProvider:
    """A provider with a batch processor that does not export on its own before ``batch`` spans have ended.

    So the exporting thread stays out of what is measured, and no span is dropped, which would be cheap.
    """
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(
        kind(exporter or Discard(), max_queue_size=batch, max_export_batch_size=batch, schedule_delay_millis=3_600_000)
    )
    return made


MODEL_REQUEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}
MODEL_RESPONSE: dict[str, AttributeValue] = {
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 30,
}


def model_calls(tracer: trace.Tracer) -> None:
    """Five spans of calls of a model, one after the other."""
    for _ in range(5):
        with tracer.start_as_current_span("chat m", attributes=MODEL_REQUEST) as span:
            for name, value in MODEL_RESPONSE.items():
                span.set_attribute(name, value)


def nested_children(tracer: trace.Tracer, depth: int = 5) -> None:
    """Five spans with four attributes, each the child of the one before."""
    with tracer.start_as_current_span("step", attributes=REQUEST) as span:
        if depth > 1:
            nested_children(tracer, depth - 1)
        for name, value in RESPONSE.items():
            span.set_attribute(name, value)
