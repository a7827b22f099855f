"""The block of the session is left."""

from _setup import tracer

import agentops_otel as ao

with ao.session("agent"):
    with tracer.start_as_current_span("step"):
        pass
with tracer.start_as_current_span("after"):
    pass
