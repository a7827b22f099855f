"""An exception leaves the block and is caught outside."""

from _setup import tracer

import agentops_otel as ao

try:
    with ao.session("agent"), tracer.start_as_current_span("step"):
        raise ValueError("boom")
except ValueError as error:
    print(error)
with tracer.start_as_current_span("after"):
    pass
