"""A decorated function of any kind runs to its end, or fails there."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator

from _setup import tracer

import agentops_otel as ao

kind, how = sys.argv[1:]


def work() -> None:
    with tracer.start_as_current_span("step"):
        pass
    if how == "raises":
        raise ValueError("boom")


@ao.session
def agent() -> None:
    work()


@ao.session("agent")
async def coroutine() -> None:
    work()


@ao.session("agent")
def generator() -> Iterator[int]:
    yield 1
    work()


@ao.session("agent")
async def async_generator() -> AsyncIterator[int]:
    yield 1
    work()


async def collect() -> list[int]:
    return [item async for item in async_generator()]


if kind == "function":
    agent()
elif kind == "coroutine":
    asyncio.run(coroutine())
elif kind == "generator":
    assert list(generator()) == [1]
else:
    assert asyncio.run(collect()) == [1]
