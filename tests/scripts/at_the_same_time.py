"""Sessions at the same time, in threads or in tasks."""

import asyncio
import sys
import threading

from _setup import tracer

import agentops_otel as ao

barrier = threading.Barrier(5)


def in_thread(number: int) -> None:
    with ao.session(f"agent {number}"):
        barrier.wait()
        with tracer.start_as_current_span(f"step {number}"):
            barrier.wait()


async def in_task(number: int) -> None:
    async with ao.session(f"agent {number}"):
        await asyncio.sleep(0)
        with tracer.start_as_current_span(f"step {number}"):
            await asyncio.sleep(0)


async def main() -> None:
    await asyncio.gather(*map(in_task, range(5)))


if sys.argv[1] == "threads":
    threads = [threading.Thread(target=in_thread, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    asyncio.run(main())
