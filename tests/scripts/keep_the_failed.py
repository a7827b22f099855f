"""Sessions of which only the interesting ones are kept; the argument says what happens to the last one.

completes:  nothing, it is left as it should be
waits:      it is open, with ended spans, when a signal comes
stays_open: it is open when the program ends
forks:      it is open when the process forks; the child has a session of its own, and raises in it
"""

import os
import sys
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import agentops_otel as ao
from agentops_otel.sampling import KeepSessions, SessionSampler

provider = TracerProvider(sampler=SessionSampler(0))
provider.add_span_processor(KeepSessions(BatchSpanProcessor(OTLPSpanExporter())))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("instrumentation")

with ao.session("dull"), tracer.start_as_current_span("step"):
    pass

how = sys.argv[1]
last = ao.start_session("last")
for _ in range(3):
    with tracer.start_as_current_span("step"):
        pass
if how == "completes":
    last.end()
elif how == "waits":
    print("ready")
    time.sleep(60)
elif how == "forks":
    child = os.fork()
    if child == 0:
        with tracer.start_as_current_span("in the child") as span:
            print("recording" if span.is_recording() else "not recording")
        with ao.session("of the child"):
            with tracer.start_as_current_span("step"):
                pass
            raise ValueError("boom")
    os.waitpid(child, 0)
    last.end("error")
