"""How an exception is recorded: as a span event, as a log event, or both.

The exception conventions are moving from span events to log events; ``OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`` says
which.
"""

from __future__ import annotations

import traceback

from opentelemetry import trace

from .. import config, semconv
from ..shield import Shield, encodable, text_of
from .events import emit

_RECORDING = Shield("recording an exception")


def error_type(error: BaseException) -> str:
    """``error.type`` of an exception: its class by its qualified name, built-in ones without a module."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ in ("builtins", None) else f"{kind.__module__}.{kind.__qualname__}"


def record_exception(span: trace.Span, error: BaseException) -> None:
    """Records ``error`` on ``span`` (with the stack trace), where the user wants exceptions to be recorded."""
    with _RECORDING:
        attributes = {
            semconv.EXCEPTION_TYPE: error_type(error),
            semconv.EXCEPTION_MESSAGE: encodable(text_of(error)),
            semconv.EXCEPTION_STACKTRACE: encodable(_stack_trace(error)),
        }
        where = config.exception_signal()
        if where != "logs":
            span.add_event(semconv.EVENT_EXCEPTION, attributes)
        if where:
            emit(semconv.EVENT_EXCEPTION, attributes, span.get_span_context(), is_error=True)


def _stack_trace(error: BaseException) -> str:
    # Not on the exception alone: formatting reads its text, which may raise.
    if text_of(error, default="\0") == "\0":
        return "".join(traceback.format_tb(error.__traceback__))
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
