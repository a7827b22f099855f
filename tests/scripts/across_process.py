"""A process of multiprocessing is started in a session; argv: start method, who sets up in it, what it does."""

import multiprocessing
import multiprocessing.synchronize
import sys
import threading
from typing import Any

import agentops_otel as ao

method, who, what = sys.argv[1:]
context: Any = multiprocessing.get_context(method)
if who == "module":
    import _setup  # noqa: F401

held: list[object] = []


def work(ready: multiprocessing.synchronize.Event) -> None:
    if who == "target":
        import _setup  # noqa: F401
    from opentelemetry import trace

    tracer = trace.get_tracer("instrumentation")
    if who != "nobody":
        session = ao.current_session()
        assert session is not None
        assert not session.is_open
        assert (session.id, session.conversation_id) == ("s-1", "c-1")
    with tracer.start_as_current_span("in the child"):
        pass
    if what == "has_a_session":
        with ao.session("child"), tracer.start_as_current_span("in its session"):
            pass
    if what in ("leaves_open", "is_terminated"):
        held.append(tracer.start_span("open"))
    ready.set()
    if what == "is_terminated":
        threading.Event().wait()
    if what == "raises":
        raise ValueError("boom")
    if what == "has_a_child":
        process = context.Process(target=grandchild)
        process.start()
        process.join()
        assert process.exitcode == 0


def grandchild() -> None:
    if who == "target":
        import _setup  # noqa: F401
    from opentelemetry import trace

    with trace.get_tracer("instrumentation").start_as_current_span("in the grandchild"):
        pass


class Subclass(context.Process):  # type: ignore[misc]
    def __init__(self, ready: multiprocessing.synchronize.Event) -> None:
        super().__init__()
        self.ready = ready

    def run(self) -> None:
        work(self.ready)


if __name__ == "__main__":
    from _setup import tracer

    ready = context.Event()
    # Made before the session: it is the start that counts.
    process = Subclass(ready) if what == "is_of_a_subclass" else context.Process(target=work, args=(ready,))
    with ao.session("agent", id="s-1", conversation_id="c-1", user_id="u-1"):
        with tracer.start_as_current_span("step"):
            process.start()
        if what == "is_terminated":
            ready.wait()
            process.terminate()
        process.join()
    print(process.exitcode)
    with tracer.start_as_current_span("after"):
        pass
