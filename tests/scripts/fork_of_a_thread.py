"""A thread, not the main one, forks in the block of its session."""

import os
import threading

from _setup import tracer

import agentops_otel as ao


def agent() -> None:
    with ao.session("agent"), tracer.start_as_current_span("step"):
        child = os.fork()
        if child == 0:
            with ao.session("child"):
                pass
            ao.flush()
            os._exit(0)  # The end of a thread is not the end of the process, also where it is the only one.
        else:
            assert os.waitpid(child, 0)[1] == 0


thread = threading.Thread(target=agent)
thread.start()
thread.join()
