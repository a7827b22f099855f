"""The session has a limit of time, for all of it or for being idle."""

import sys
import threading

from _setup import open_spans, tracer

import agentops_otel as ao

if sys.argv[1] == "idle":
    session = ao.start_session("agent", idle_timeout=0.3, max_duration=60)
else:
    session = ao.start_session("agent", idle_timeout=60, max_duration=0.3)
spans = open_spans()
while session.is_open:
    threading.Event().wait(0.01)
with tracer.start_as_current_span("after"):
    pass
