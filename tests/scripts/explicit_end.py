"""The session is ended by hand, with the state that the command line says."""

import sys

from _setup import tracer

import agentops_otel as ao

session = ao.start_session("agent")
with tracer.start_as_current_span("step"):
    pass
session.end(*sys.argv[1:])
with tracer.start_as_current_span("after"):
    pass
