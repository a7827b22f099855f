"""A session is over, and a context in which it was current goes on."""

import asyncio
import gc
import sys
import threading

from _setup import tracer

import agentops_otel as ao


def span(name: str) -> None:
    with tracer.start_as_current_span(name):
        pass


async def outlive(over: asyncio.Event) -> None:
    span("step")
    await over.wait()
    span("after")


async def main() -> None:
    over = asyncio.Event()
    with ao.session("agent"):
        task = asyncio.create_task(outlive(over))
        await asyncio.sleep(0)
    over.set()
    await task


if sys.argv[1] == "ended_inside":
    with ao.session("agent") as session:
        span("step")
        session.end()
        span("after")
elif sys.argv[1] == "ended_by_a_thread":
    with ao.session("agent") as session:
        span("step")
        thread = threading.Thread(target=session.end)
        thread.start()
        thread.join()
        span("after")
elif sys.argv[1] == "dropped":
    session = ao.start_session("agent")
    span("step")
    del session
    gc.collect()
    while ao.open_sessions() or ao.current_session() is not None:
        threading.Event().wait(0.01)
    ao.flush()
    span("after")
elif sys.argv[1] == "task":
    asyncio.run(main())
