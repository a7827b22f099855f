"""An asynchronous generator with a session is left in the middle: the loop still runs, or it is closed."""

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator

from _setup import tracer

import agentops_otel as ao

kind, how = sys.argv[1:]


async def with_block() -> AsyncGenerator[int, None]:
    async with ao.session("agent"):
        with tracer.start_as_current_span("step"):
            pass
        yield 1


@ao.session("agent")
async def decorated() -> AsyncGenerator[int, None]:
    with tracer.start_as_current_span("step"):
        pass
    yield 1


async def main(generator: AsyncGenerator[int, None]) -> None:
    assert await anext(generator) == 1
    if how == "closed":
        await generator.aclose()
    elif how == "dropped":
        del generator
        gc.collect()
        while any(task is not asyncio.current_task() for task in asyncio.all_tasks()):
            await asyncio.sleep(0)


generator = (with_block if kind == "with_block" else decorated)()
loop = asyncio.new_event_loop()
if how == "loop_closed":
    loop.run_until_complete(main(generator))
    loop.close()
    del generator
else:
    coroutine = main(generator)
    del generator
    loop.run_until_complete(coroutine)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
gc.collect()
with tracer.start_as_current_span("after"):
    pass
