"""An agent of Haystack, alone, and as a component of a pipeline."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

from given import APPROVAL, CITIES, QUIT, TOOLS, about, go_on_in_loop, in_threads, main
from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function

kept: list[object] = []


def agent() -> Agent:
    tools = [create_tool_from_function(tool) for tool in TOOLS]
    return Agent(chat_generator=OpenAIChatGenerator(model="gpt-4o-mini"), tools=tools)


def pipeline() -> Pipeline:
    found = Pipeline()
    found.add_component("geographer", agent())
    return found


def asked(question: str) -> dict[str, Any]:
    return {"messages": [ChatMessage.from_user(question)]}


def one() -> None:
    print(pipeline().run({"geographer": asked(about("Paris"))})["geographer"]["last_message"].text)


async def one_async() -> None:
    result = await pipeline().run_async({"geographer": asked(about("Paris"))})
    print(result["geographer"]["last_message"].text)


async def one_generator() -> None:
    async for result in pipeline().run_async_generator({"geographer": asked(about("Paris"))}):
        print(result)


def one_agent() -> None:
    print(agent().run(**asked(about("Paris")))["last_message"].text)


async def one_agent_async() -> None:
    print((await agent().run_async(**asked(about("Paris"))))["last_message"].text)


def conversation() -> None:
    """The messages are all that there is to remember."""
    messages: list[ChatMessage] = []
    for city in CITIES[:2]:
        messages = agent().run([*messages, ChatMessage.from_user(about(city))])["messages"]


async def stream() -> None:
    async for chunk in pipeline().stream({"geographer": asked(about("Paris"))}):
        print(chunk.content, end="")


async def stream_left() -> None:
    await _begin()
    gc.collect()
    await go_on_in_loop()


async def stream_left_generator() -> None:
    await anext(pipeline().run_async_generator({"geographer": asked(about("Paris"))}, {"geographer"}))
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    kept.append(await _begin())


async def _begin() -> AsyncIterator[Any]:
    chunks = aiter(pipeline().stream({"geographer": asked(about("Paris"))}))
    await anext(chunks)
    return chunks


def sys_exit() -> None:
    pipeline().run({"geographer": asked(QUIT)})


def sys_exit_agent() -> None:
    agent().run(**asked(QUIT))


def sigterm() -> None:
    pipeline().run({"geographer": asked(APPROVAL)})


def sigterm_agent() -> None:
    agent().run(**asked(APPROVAL))


async def three_at_once() -> None:
    await asyncio.gather(*(pipeline().run_async({"geographer": asked(about(city))}) for city in CITIES))


def three_at_once_agents() -> None:
    in_threads(lambda city: agent().run(**asked(about(city))))


main(
    one,
    one_async,
    one_generator,
    one_agent,
    one_agent_async,
    conversation,
    stream,
    stream_left,
    stream_left_generator,
    stream_left_exit,
    sys_exit,
    sys_exit_agent,
    sigterm,
    sigterm_agent,
    three_at_once,
    three_at_once_agents,
)
