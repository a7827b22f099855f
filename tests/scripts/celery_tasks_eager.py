"""Runs tasks of celery_app.py in this process, without a worker."""

from celery_app import add, app, instrument, official, session_id, tracer, tries_again
from opentelemetry import baggage, context, trace

import agentops_otel as ao

app.conf.task_always_eager = True
with ao.session("agent") as agent:
    with tracer.start_as_current_span("step"):
        print(add.delay(1, 2).get(), tries_again.delay().get())
    print(session_id.delay().get() == agent.id)
    carrier = agent.carrier()
print(session_id.delay().get())
print(session_id.apply(headers=carrier).get() == agent.id)
if official is None:
    instrument()  # after the first tasks
print(session_id.apply(headers=carrier).get() == agent.id)
print(session_id.delay().get())
print(trace.get_current_span().get_span_context().is_valid, dict(baggage.get_all()), len(context.get_current()))
