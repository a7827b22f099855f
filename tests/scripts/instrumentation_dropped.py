"""An abandoned generator ends its own span when it is collected, while this thread writes to the session."""

import contextvars
import gc
from collections.abc import Generator
from typing import Any

from _setup import tracer
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor

import agentops_otel as ao

gc.disable()
roots: list[Any] = []


class Spans(SpanProcessor):
    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        if span.parent is None:
            roots.append(span)


def stream(cycle: list[object]) -> Generator[None, None, None]:
    span = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7})
    try:
        yield
    finally:
        span.end()


def leak() -> None:
    cycle: list[object] = []
    cycle.append(stream(cycle))
    next(cycle[0])  # type: ignore[call-overload]


provider: Any = trace.get_tracer_provider()
provider.add_span_processor(Spans())
with ao.session("agent"):
    contextvars.copy_context().run(leak)
    with roots[0]._lock:
        gc.collect()
