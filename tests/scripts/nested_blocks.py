"""A session in the block of another."""

from _setup import tracer

import agentops_otel as ao

with ao.session("outer"):
    with tracer.start_as_current_span("step"), ao.session("inner"), tracer.start_as_current_span("in inner"):
        pass
    with tracer.start_as_current_span("in outer"):
        pass
with tracer.start_as_current_span("after"):
    pass
