"""Agents and teams of AutoGen."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import TaskResult
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.openai import OpenAIChatCompletionClient
from given import APPROVAL, CITIES, QUIT, TOOLS, about, go_on_in_loop, main

kept: list[object] = []


def client() -> OpenAIChatCompletionClient:
    return OpenAIChatCompletionClient(model="gpt-4o-mini", include_name_in_message=False)


def agent(**kwargs: Any) -> AssistantAgent:
    return AssistantAgent("geographer", client(), tools=list(TOOLS), reflect_on_tool_use=True, **kwargs)


def team() -> RoundRobinGroupChat:
    """Of two, who take turns: the one has the question answered, the other one says so."""
    reader = AssistantAgent("reader", client())
    return RoundRobinGroupChat([agent(), reader], termination_condition=MaxMessageTermination(5))


async def one() -> None:
    print((await agent().run(task=about("Paris"))).messages[-1])


async def one_team() -> None:
    print((await team().run(task=about("Paris"))).messages[-1])


async def one_team_streamed() -> None:
    async for message in team().run_stream(task=about("Paris")):
        if isinstance(message, TaskResult):
            print(message.messages[-1])


async def conversation() -> None:
    """It remembers, and has no name for that."""
    geographer = agent()
    for city in CITIES[:2]:
        await geographer.run(task=about(city))


async def conversation_of_a_team() -> None:
    geographers = team()
    for city in CITIES[:2]:
        await geographers.run(task=about(city))


async def stream() -> None:
    async for message in agent(model_client_stream=True).run_stream(task=about("Paris")):
        if isinstance(message, TaskResult):
            print(message.messages[-1])


async def stream_left() -> None:
    await _begin(agent(model_client_stream=True))
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    kept.append(await _begin(agent(model_client_stream=True)))


async def stream_of_a_team_left() -> None:
    await _begin(team())
    gc.collect()
    await go_on_in_loop()


async def stream_of_a_team_left_exit() -> None:
    kept.append(await _begin(team()))


async def _begin(of: Any) -> AsyncGenerator[Any, None]:
    stream = of.run_stream(task=about("Paris"))
    async for _ in stream:
        break
    return stream


async def sys_exit() -> None:
    await agent().run(task=QUIT)


async def sigterm() -> None:
    await agent().run(task=APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(agent().run(task=about(city)) for city in CITIES))


main(
    one,
    one_team,
    one_team_streamed,
    conversation,
    conversation_of_a_team,
    stream,
    stream_left,
    stream_left_exit,
    stream_of_a_team_left,
    stream_of_a_team_left_exit,
    sys_exit,
    sigterm,
    three_at_once,
)
