"""A program that logs with OpenTelemetry, before, in and after a session."""

from _setup import tracer
from opentelemetry import _logs
from opentelemetry._logs import LogRecord

import agentops_otel as ao

logger = _logs.get_logger("app")
logger.emit(LogRecord(body="before"))
with ao.session("agent", id="s"):
    logger.emit(LogRecord(body="in the session"))
    with tracer.start_as_current_span("step"):
        logger.emit(LogRecord(body="in a span"))
logger.emit(LogRecord(body="after"))
