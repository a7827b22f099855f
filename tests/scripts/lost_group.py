"""A process and its children, each with a session; all wait to be killed together."""

import os
import threading

import _setup  # noqa: F401

import agentops_otel as ao

for number in range(3):
    reader, writer = os.pipe()
    if os.fork() == 0:
        session = ao.start_session(f"child {number}")
        os.write(writer, b"!")
        threading.Event().wait(60)
    os.read(reader, 1)
session = ao.start_session("parent")
print("ready", flush=True)
threading.Event().wait(60)
