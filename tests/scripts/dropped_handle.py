"""Nobody holds the session any longer: it was dropped, in a cycle, or belonged to a thread or task that is over."""

import asyncio
import gc
import sys
import threading

from _setup import open_spans, tracer

import agentops_otel as ao

held: list[object] = []


def agent() -> None:
    session = ao.start_session("agent")
    held.extend(open_spans())
    if sys.argv[1] == "cycle":
        cycle: list[object] = [session]
        cycle.append(cycle)


async def agent_in_task() -> None:
    agent()


async def main() -> None:
    await asyncio.create_task(agent_in_task())


if sys.argv[1] == "thread":
    thread = threading.Thread(target=agent)
    thread.start()
    thread.join()
elif sys.argv[1] == "task":
    asyncio.run(main())
else:
    agent()
gc.collect()
with tracer.start_as_current_span("after"):
    pass
print("ready")
threading.Event().wait()
