"""The asynchronous block of the session is left."""

import asyncio

from _setup import tracer

import agentops_otel as ao


async def main() -> None:
    async with ao.session("agent"):
        with tracer.start_as_current_span("step"):
            await asyncio.sleep(0)
    with tracer.start_as_current_span("after"):
        pass


asyncio.run(main())
