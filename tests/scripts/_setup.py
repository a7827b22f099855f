"""What every program here begins with: AGENTOPS_TEST_SETUP says who sets OpenTelemetry up.

configure: agentops_otel, from the OTEL_* variables
by_hand:   the program, which adds the session span processor itself
own:       the program, traces only, and nobody tells it of sessions
"""

import os

from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

import agentops_otel as ao


def _set_up(who: str) -> None:
    if who == "configure":
        ao.configure()
        return
    span_exporter, log_exporter = _exporters()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(span_exporter))
    trace.set_tracer_provider(provider)
    if who == "by_hand":
        provider.add_span_processor(ao.SessionSpanProcessor())
        logger_provider = LoggerProvider()
        logger_provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
        _logs.set_logger_provider(logger_provider)


def _exporters() -> tuple[SpanExporter, LogRecordExporter]:
    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces

        return grpc_traces.OTLPSpanExporter(), grpc_logs.OTLPLogExporter()
    from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces

    return http_traces.OTLPSpanExporter(), http_logs.OTLPLogExporter()


def open_spans() -> list[trace.Span]:
    """Two spans in the current session, "tool" in "step", that are open as long as somebody holds them."""
    step = tracer.start_span("step")
    return [step, tracer.start_span("tool", context=trace.set_span_in_context(step))]


_set_up(os.environ["AGENTOPS_TEST_SETUP"])
tracer = trace.get_tracer("instrumentation")
