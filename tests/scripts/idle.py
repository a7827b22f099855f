"""A program that is set up and starts no session; or forks a child that starts none, once it is told to."""

import os
import signal
import sys
import threading

import _setup  # noqa: F401

import agentops_otel as ao

how = sys.argv[1]
if how == "forks after a session":
    with ao.session("own"):
        pass
    ao.flush()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("ready", flush=True)
if how != "waits":
    signal.sigwait({signal.SIGUSR1})
    os.fork()
threading.Event().wait(60)
