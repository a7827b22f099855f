"""Sessions of two spans each, one after the other; then the program ends, or stays until it is told to end."""

import logging
import os
import signal
import sys
import threading

from _setup import tracer

import agentops_otel as ao

name, count, then = sys.argv[1:]
if "AGENTOPS_TEST_SILENCED" in os.environ:
    logging.getLogger(os.environ["AGENTOPS_TEST_SILENCED"]).setLevel(logging.CRITICAL)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
for number in range(int(count)):
    with ao.session(f"{name} {number}"):
        tracer.start_span(f"step {name} {number}").end()
print("made", flush=True)
while then == "stays":
    # In turns: a signal that comes just before a wait begins does not end it.
    threading.Event().wait(0.1)
