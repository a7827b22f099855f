"""Crews, flows and agents of CrewAI."""

import gc
from typing import Any

from crewai import LLM, Agent, Crew, Flow, Task
from crewai.flow.flow import start
from crewai.tools import tool
from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on, go_on_in_loop, in_threads, main

tools = [tool(function) for function in TOOLS]
kept: list[object] = []


def agent() -> Agent:
    llm = LLM(model="openai/gpt-4o-mini")
    return Agent(role="Geographer", goal="Answer.", backstory="You know.", llm=llm, tools=tools)


def crew(text: str, **kwargs: Any) -> Crew:
    geographer = agent()
    task = Task(description=text, expected_output="An answer.", agent=geographer)
    return Crew(name="geography", agents=[geographer], tasks=[task], tracing=False, **kwargs)


class Geography(Flow):
    @start()
    def ask(self) -> str:
        return str(crew(about(self.state.get("city", "Paris"))).kickoff())


def one() -> None:
    print(crew(about("Paris")).kickoff())


async def one_in_a_thread() -> None:
    print(await crew(about("Paris")).kickoff_async())


async def one_async() -> None:
    print(await crew(about("Paris")).akickoff())


def one_flow() -> None:
    print(Geography(tracing=False).kickoff())


async def one_flow_async() -> None:
    print(await Geography(tracing=False).kickoff_async())


def one_agent() -> None:
    print(agent().kickoff(about("Paris")).raw)


def conversation() -> None:
    """Two tasks of the same people, who have no name for that."""
    for city in CITIES[:2]:
        crew(about(city)).kickoff()


def conversation_of_a_flow() -> None:
    for city in CITIES[:2]:
        Geography(tracing=False).kickoff(inputs={"id": CONVERSATION, "city": city})


async def conversation_of_a_flow_async() -> None:
    for city in CITIES[:2]:
        await Geography(tracing=False).akickoff(inputs={"id": CONVERSATION, "city": city})


def stream() -> None:
    streaming = crew(about("Paris"), stream=True).kickoff()
    for _ in streaming:
        pass
    print(streaming.result)


async def stream_async() -> None:
    streaming = await crew(about("Paris"), stream=True).akickoff()
    async for _ in streaming:
        pass
    print(streaming.result)


def stream_of_a_flow() -> None:
    streaming = Geography(tracing=False, stream=True).kickoff()
    for _ in streaming:
        pass
    print(streaming.result)


async def stream_of_a_flow_async() -> None:
    streaming = await Geography(tracing=False, stream=True).kickoff_async()
    async for _ in streaming:
        pass
    print(streaming.result)


def stream_left() -> None:
    _begin()
    gc.collect()
    go_on()


async def stream_async_left() -> None:
    await _begin_async()
    gc.collect()
    await go_on_in_loop()


async def stream_async_left_exit() -> None:
    kept.append(await _begin_async())


def stream_left_exit() -> None:
    kept.append(_begin())


def _begin() -> Any:
    streaming = crew(about("Paris"), stream=True).kickoff()
    next(iter(streaming))
    return streaming


async def _begin_async() -> Any:
    streaming = await crew(about("Paris"), stream=True).akickoff()
    async for _ in streaming:
        break
    return streaming


def sys_exit() -> None:
    crew(QUIT).kickoff()


def sigterm() -> None:
    crew(APPROVAL).kickoff()


def three_at_once() -> None:
    in_threads(lambda city: crew(about(city)).kickoff())


main(
    one,
    one_in_a_thread,
    one_async,
    one_flow,
    one_flow_async,
    one_agent,
    conversation,
    conversation_of_a_flow,
    conversation_of_a_flow_async,
    stream,
    stream_async,
    stream_of_a_flow,
    stream_of_a_flow_async,
    stream_left,
    stream_left_exit,
    stream_async_left,
    stream_async_left_exit,
    sys_exit,
    sigterm,
    three_at_once,
)
