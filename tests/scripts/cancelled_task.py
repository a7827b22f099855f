"""A task is cancelled in the block of its session."""

import asyncio

from _setup import tracer

import agentops_otel as ao


async def agent(started: asyncio.Event) -> None:
    async with ao.session("agent"):
        with tracer.start_as_current_span("step"):
            started.set()
            await asyncio.Event().wait()


async def main() -> None:
    started = asyncio.Event()
    task = asyncio.create_task(agent(started))
    await started.wait()
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


asyncio.run(main())
