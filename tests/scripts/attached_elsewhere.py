"""The handle is dropped while the session is current in another thread, which then leaves it."""

import gc
import queue
import threading

from _setup import tracer

import agentops_otel as ao

attached, dropped = threading.Event(), threading.Event()


def work(session: ao.Session) -> None:
    with session.attach():
        del session
        attached.set()
        dropped.wait()
        with tracer.start_as_current_span("step"):
            pass
    with tracer.start_as_current_span("after in the thread"):
        pass


def agent() -> None:
    handed.put(ao.start_session("agent"))
    attached.wait()


handed: queue.SimpleQueue[ao.Session] = queue.SimpleQueue()
thread = threading.Thread(target=lambda: work(handed.get()))
thread.start()  # before the session, or it would be current in the whole thread
agent()
gc.collect()
dropped.set()
thread.join()
ao.flush()  # What was dropped has ended then, for certain.
with tracer.start_as_current_span("after"):
    pass
