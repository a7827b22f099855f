"""A process dies without a chance to end its session, in which one span has ended and two are open."""

import ctypes
import os
import sys
import threading

from _setup import open_spans, tracer

import agentops_otel as ao

how = sys.argv[1]
session = ao.start_session("agent", user_id="u-17", tags=["beta"])
with tracer.start_as_current_span(
    "chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7}
) as chat:
    chat.add_event("thought", {"deep": True})
held = open_spans()
if how == "has_exported":
    ao.flush()
print("ready", flush=True)
if how == "leaves":
    os._exit(7)
elif how == "crashes":
    ctypes.string_at(0)
elif how == "aborts":
    os.abort()
elif how == "becomes_another":
    os.execv(sys.executable, [sys.executable, "-c", "print('another')"])
elif how == "takes_all_memory":
    # In a group of its own, whose memory is limited.
    with open(sys.argv[2], "w") as group:
        group.write(str(os.getpid()))
    taken = []
    while True:
        taken.append(bytearray(os.urandom(2**16)) * 16)
threading.Event().wait(60)
