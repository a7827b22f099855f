"""Gets a SIGTERM, and the main thread goes on with the spans it has open, as long as it can."""

import os
import signal
import threading

from _setup import tracer

import agentops_otel as ao

session = ao.start_session("agent")
span = tracer.start_span("open child")
os.kill(os.getpid(), signal.SIGTERM)
while not threading.Event().wait(0.002):
    span.set_attribute("n", 1)
    span.add_event("working")
    span.set_status(span.status)  # type: ignore[attr-defined]
