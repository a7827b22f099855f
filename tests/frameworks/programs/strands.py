"""An agent of Strands."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on_in_loop, main
from strands import Agent, tool
from strands.models.openai import OpenAIModel
from strands.session.file_session_manager import FileSessionManager

tools = [tool(function) for function in TOOLS]
kept: list[object] = []


def agent(**kwargs: Any) -> Agent:
    return Agent(OpenAIModel(model_id="gpt-4o-mini"), tools=tools, callback_handler=None, name="geographer", **kwargs)


def one() -> None:
    print(agent()(about("Paris")))


async def one_async() -> None:
    print(await agent().invoke_async(about("Paris")))


def conversation() -> None:
    """The second run is of another process, as far as the framework can tell: it reads the first one from the disk."""
    for city in CITIES[:2]:
        agent(session_manager=FileSessionManager(CONVERSATION, storage_dir="sessions"))(about(city))


async def stream() -> None:
    async for event in agent().stream_async(about("Paris")):
        if "result" in event:
            print(event["result"])


async def stream_left() -> None:
    await _begin()
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    kept.append(await _begin())


async def _begin() -> AsyncIterator[Any]:
    stream = agent().stream_async(about("Paris"))
    async for event in stream:
        if "data" in event or "event" in event:
            break
    return stream


def sys_exit() -> None:
    agent()(QUIT)


def sigterm() -> None:
    agent()(APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(agent().invoke_async(about(city)) for city in CITIES))


main(one, one_async, conversation, stream, stream_left, stream_left_exit, sys_exit, sigterm, three_at_once)
