"""Sends requests to a service, which sends some on to another; argv: their ports."""

import sys

from _setup import tracer
from across_service import ask
from opentelemetry import baggage, context

import agentops_otel as ao

first, second = sys.argv[1:]
ids = {"session.id": "s-1", "gen_ai.conversation.id": "c-1"}

context.attach(baggage.set_baggage("mine", "1"))
with ao.session("agent", id="s-1", conversation_id="c-1", user_id="u-1") as session:
    kept = context.get_current()
    with tracer.start_as_current_span("step"):
        assert ask(first, "joins") == ids | {"mine": "1"}
        assert ask(first, "extracts") == ids | {"mine": "1"}
        assert ask(first, f"forwards/{second}") == ids | {"mine": "1"}
        with ao.session("inner", id="s-2"):
            assert ask(first, "joins") == {"session.id": "s-2", "mine": "1"}
    assert baggage.get_all() == {"mine": "1"}
for around in (context.get_current(), kept):
    token = context.attach(around)
    assert ask(first, "extracts") == {"mine": "1"}
    context.detach(token)
