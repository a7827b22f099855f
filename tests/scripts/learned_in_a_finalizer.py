"""An abandoned generator ends its span, which names the conversation, while this thread holds every lock there is."""

import contextvars
import gc
import logging
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from typing import Any

from _setup import tracer
from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor

import agentops_otel as ao

gc.disable()
locks: list[Any] = []


class Spans(SpanProcessor):
    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        if span.parent is None:
            locks.append(span._lock)


class Store:
    """Makes what is learned leave the process, too."""

    def put(self, session_id: str, carrier: Mapping[str, str]) -> None:
        with logging._lock:  # type: ignore[attr-defined]
            pass

    def get(self, session_id: str) -> None:
        pass


def stream(cycle: list[object]) -> Generator[None, None, None]:
    span = tracer.start_span("chat")
    try:
        yield
    finally:
        span.set_attribute("gen_ai.conversation.id", "c")
        span.end()


def leak() -> None:
    cycle: list[object] = []
    cycle.append(stream(cycle))
    next(cycle[0])  # type: ignore[call-overload]


provider: Any = trace.get_tracer_provider()
provider.add_span_processor(Spans())
ao.configure(store=Store())
# So much that the propagator logs that it leaves some out.
too_much = baggage.set_baggage("own", "1" * 10_000)
with ao.session("agent") as session:
    contextvars.copy_context().run(leak)
    with ExitStack() as held:
        for lock in (*locks, logging._lock):  # type: ignore[attr-defined]
            held.enter_context(lock)
        context.attach({**context.get_current(), **too_much})  # type: ignore[arg-type]
        gc.collect()
    assert session.conversation_id == "c"
    tracer.start_span("after").end()
