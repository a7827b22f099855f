"""An agent of Agno, alone, in a team, and in a workflow."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agno.agent import Agent
from agno.models.openai import OpenAIChat
from agno.team import Team
from agno.workflow import Workflow
from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on, go_on_in_loop, main

kept: list[object] = []


def agent(**kwargs: Any) -> Agent:
    return Agent(name="geographer", model=OpenAIChat(id="gpt-4o-mini"), tools=list(TOOLS), **kwargs)


def team() -> Team:
    """Its leader has the tools, and a member that is not asked."""
    member = Agent(name="poet", model=OpenAIChat(id="gpt-4o-mini"))
    return Team([member], name="geographers", model=OpenAIChat(id="gpt-4o-mini"), tools=list(TOOLS))


def workflow() -> Workflow:
    return Workflow(name="research", steps=[agent()])


def one() -> None:
    print(agent().run(about("Paris")).content)


async def one_async() -> None:
    print((await agent().arun(about("Paris"))).content)


def one_team() -> None:
    print(team().run(about("Paris")).content)


async def one_team_async() -> None:
    print((await team().arun(about("Paris"))).content)


def one_workflow() -> None:
    print(workflow().run(about("Paris")).content)


async def one_workflow_async() -> None:
    print((await workflow().arun(about("Paris"))).content)


def one_workflow_streamed() -> None:
    for event in workflow().run(about("Paris"), stream=True):
        print(getattr(event, "content", ""))


def conversation() -> None:
    for city in CITIES[:2]:
        agent().run(about(city), session_id=CONVERSATION)


def conversation_of_an_agent() -> None:
    geographer = agent(session_id=CONVERSATION)
    for city in CITIES[:2]:
        geographer.run(about(city))


async def conversation_of_a_team() -> None:
    for city in CITIES[:2]:
        await team().arun(about(city), session_id=CONVERSATION)


def conversation_of_a_workflow() -> None:
    for city in CITIES[:2]:
        workflow().run(about(city), session_id=CONVERSATION)


def stream() -> None:
    for event in agent().run(about("Paris"), stream=True):
        print(event.content, end="")


async def stream_async() -> None:
    async for event in agent().arun(about("Paris"), stream=True):
        print(event.content, end="")


def stream_left() -> None:
    _begin()
    gc.collect()
    go_on()


async def stream_left_async() -> None:
    await _begin_async()
    gc.collect()
    await go_on_in_loop()


def stream_left_exit() -> None:
    kept.append(_begin())


async def stream_left_exit_async() -> None:
    kept.append(await _begin_async())


def _begin() -> Iterator[Any]:
    events = agent().run(about("Paris"), stream=True)
    next(events)
    return events


async def _begin_async() -> AsyncIterator[Any]:
    events = agent().arun(about("Paris"), stream=True)
    await anext(events)
    return events


def sys_exit() -> None:
    agent().run(QUIT)


def sigterm() -> None:
    agent().run(APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(agent().arun(about(city)) for city in CITIES))


main(
    one,
    one_async,
    one_team,
    one_team_async,
    one_workflow,
    one_workflow_async,
    one_workflow_streamed,
    conversation,
    conversation_of_an_agent,
    conversation_of_a_team,
    conversation_of_a_workflow,
    stream,
    stream_async,
    stream_left,
    stream_left_async,
    stream_left_exit,
    stream_left_exit_async,
    sys_exit,
    sigterm,
    three_at_once,
)
