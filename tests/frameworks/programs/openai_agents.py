"""An agent of the OpenAI Agents SDK."""

import asyncio
import gc

from agents import Agent, RunConfig, Runner, RunResultStreaming, SQLiteSession, function_tool
from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on_in_loop, main

agent = Agent(
    name="geographer",
    model="gpt-4o-mini",
    instructions="Answer.",
    tools=[function_tool(tool, failure_error_function=None) for tool in TOOLS],
)
kept: list[object] = []


async def one() -> None:
    result = await Runner.run(agent, about("Paris"))
    print(result.final_output)


def one_sync() -> None:
    print(Runner.run_sync(agent, about("Paris")).final_output)


async def one_of_a_group() -> None:
    config = RunConfig(group_id="group-1")
    await Runner.run(agent, about("Paris"), session=SQLiteSession(CONVERSATION), run_config=config)


async def conversation() -> None:
    session = SQLiteSession(CONVERSATION)
    for city in CITIES[:2]:
        await Runner.run(agent, about(city), session=session)


def conversation_sync() -> None:
    session = SQLiteSession(CONVERSATION)
    for city in CITIES[:2]:
        Runner.run_sync(agent, about(city), session=session)


async def conversation_streamed() -> None:
    session = SQLiteSession(CONVERSATION)
    for city in CITIES[:2]:
        await _consume(Runner.run_streamed(agent, about(city), session=session))


async def conversation_of_the_server() -> None:
    for city in CITIES[:2]:
        await Runner.run(agent, about(city), conversation_id=CONVERSATION)


async def stream() -> None:
    result = Runner.run_streamed(agent, about("Paris"))
    await _consume(result)
    print(result.final_output)


async def _consume(result: RunResultStreaming) -> None:
    async for _ in result.stream_events():
        pass


async def stream_left() -> None:
    await _begin()
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    kept.append(await _begin())


async def _begin() -> RunResultStreaming:
    result = Runner.run_streamed(agent, about("Paris"))
    async for _ in result.stream_events():
        break
    return result


async def sys_exit() -> None:
    await Runner.run(agent, QUIT)


async def sigterm() -> None:
    await Runner.run(agent, APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(Runner.run(agent, about(city)) for city in CITIES))


main(
    one,
    one_sync,
    one_of_a_group,
    conversation,
    conversation_sync,
    conversation_streamed,
    conversation_of_the_server,
    stream,
    stream_left,
    stream_left_exit,
    sys_exit,
    sigterm,
    three_at_once,
)
