"""Thousands of sessions are dropped at once."""

import contextvars
import gc
import sys

import _setup  # noqa: F401

import agentops_otel as ao

sessions: list[object] = [
    contextvars.copy_context().run(ao.start_session, f"agent {number}") for number in range(int(sys.argv[1]))
]
sessions.append(sessions)
del sessions
gc.collect()
