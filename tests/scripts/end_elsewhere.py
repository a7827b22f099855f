"""The session is ended where it was not started."""

import asyncio
import contextvars
import sys
import threading

from _setup import tracer

import agentops_otel as ao

session = ao.start_session("agent")
with tracer.start_as_current_span("step"):
    pass


async def end() -> None:
    session.end()


async def main() -> None:
    await asyncio.create_task(end())


def end_together() -> None:
    barrier.wait()
    session.end()


barrier = threading.Barrier(8)
if sys.argv[1] == "thread":
    thread = threading.Thread(target=session.end)
    thread.start()
    thread.join()
elif sys.argv[1] == "context":
    contextvars.copy_context().run(session.end)
elif sys.argv[1] == "task":
    asyncio.run(main())
elif sys.argv[1] == "threads":
    threads = [threading.Thread(target=end_together) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
with tracer.start_as_current_span("after"):
    pass
