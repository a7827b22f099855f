"""Three sessions: one that ends well, one in it that fails, one left open; prints their trace ids."""

from contextlib import suppress

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

import agentops_otel as ao

ao.configure("collected")
tracer = trace.get_tracer("tests")

with ao.session("well", tags=["a", "b"], user_id="u-1") as well:
    print("well", well.trace_id)
    attributes: dict[str, AttributeValue] = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7}
    with tracer.start_as_current_span("chat", attributes=attributes):
        pass
    with suppress(LookupError), ao.session("failed") as failed:
        print("failed", failed.trace_id)
        raise LookupError("nothing there")
    well.end("success")

left = ao.start_session("left")
print("left", left.trace_id)
open_child = tracer.start_span("open child")
