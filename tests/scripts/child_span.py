"""A span of another instrumentation that nobody ends, in a session that ends normally."""

import gc
import sys
import threading

from _setup import tracer

import agentops_otel as ao

how = sys.argv[1]
with ao.session("agent") as session:
    span = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    span.set_attribute("gen_ai.usage.input_tokens", 7)
    span.add_event("token")
    if how == "dropped_inside":
        del span
        gc.collect()
        while session.totals.inference_calls == 0:
            threading.Event().wait(0.01)
if how == "dropped_after":
    del span
    gc.collect()
elif how == "ended_after":
    span.end()
if how.startswith("dropped"):
    print("ready")
    threading.Event().wait()
