"""The garbage collector runs at every allocation of a busy program that leaks sessions of all kinds."""

import contextvars
import gc
import threading
from collections.abc import Generator

from _setup import tracer

import agentops_otel as ao


def abandoned(cycle: list[object]) -> Generator[None, None, None]:
    with ao.session("in a generator"):
        yield


def agent() -> None:
    for _ in range(15):
        with ao.session("agent", tags=["busy"]) as session:
            with tracer.start_as_current_span("step") as step:
                step.set_attribute("model", "small")
                contextvars.copy_context().run(leak)
            session.set_attribute("steps", 1)
            session.add_tags("done")


def leak() -> None:
    cycle: list[object] = []
    cycle += [ao.start_session("in a cycle"), tracer.start_span("open"), cycle]
    other: list[object] = []
    other.append(abandoned(other))
    next(other[0])  # type: ignore[call-overload]
    ao.start_session("dropped")


gc.set_threshold(1, 1, 1)
threads = [threading.Thread(target=agent) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
gc.set_threshold(700, 10, 10)
ao.flush(10)  # a collection that another thread is at would make the next one do nothing
gc.collect()
