"""More spans than any queue holds, as fast as they can be made."""

import sys

from _setup import tracer

import agentops_otel as ao

with ao.session("agent"):
    for _ in range(int(sys.argv[1]) - 1):
        tracer.start_span("step").end()
