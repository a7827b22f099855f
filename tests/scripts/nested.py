"""A session in another, which ends later or earlier than the inner one."""

import sys

from _setup import tracer

import agentops_otel as ao

outer = ao.start_session("outer")
inner = ao.start_session("inner")
with tracer.start_as_current_span("in inner"):
    pass
for session in (inner, outer) if sys.argv[1] == "inner_first" else (outer, inner):
    session.end()
with tracer.start_as_current_span("after"):
    pass
