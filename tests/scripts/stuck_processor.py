"""A span processor of the program never returns, and a session that was dropped has run into it."""

import sys
import threading

import _fresh_signals  # noqa: F401
import _setup  # noqa: F401
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import agentops_otel as ao

stuck = threading.Event()


class Stuck(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        stuck.set()
        threading.Event().wait()


provider = trace.get_tracer_provider()
assert isinstance(provider, TracerProvider)
provider.add_span_processor(Stuck())
if sys.argv[1] == "dropped":
    ao.start_session("dropped")
    stuck.wait()
session = ao.start_session("agent")
if sys.argv[2] == "signal":
    print("ready")
    threading.Event().wait()
sys.exit(3)
