"""An agent of Pydantic AI."""

import asyncio
import gc
from typing import Any

from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on_in_loop, main
from pydantic_ai import Agent, InstrumentationSettings

agent = Agent("openai-chat:gpt-4o-mini", name="geographer", tools=TOOLS)
kept: list[object] = []


async def one() -> None:
    print((await agent.run(about("Paris"))).output)


async def one_as_chosen() -> None:
    Agent.instrument_all(InstrumentationSettings(include_content=True))
    await one()


def one_sync() -> None:
    print(agent.run_sync(about("Paris")).output)


async def one_iter() -> None:
    async with agent.iter(about("Paris")) as run:
        async for _ in run:
            pass
    assert run.result is not None
    print(run.result.output)


async def conversation() -> None:
    history: list[Any] = []
    for city in CITIES[:2]:
        result = await agent.run(about(city), message_history=history, conversation_id=CONVERSATION)
        history = result.all_messages()


def conversation_sync() -> None:
    for city in CITIES[:2]:
        agent.run_sync(about(city), conversation_id=CONVERSATION)


async def conversation_streamed() -> None:
    for city in CITIES[:2]:
        async with agent.run_stream(about(city), conversation_id=CONVERSATION) as stream:
            async for _ in stream.stream_text():
                pass


async def stream() -> None:
    async with agent.run_stream(about("Paris")) as result:
        async for text in result.stream_text():
            last = text
    print(last)


async def stream_events() -> None:
    async with agent.run_stream_events(about("Paris")) as events:
        async for event in events:
            last = event
    print(last)


async def stream_left() -> None:
    async with agent.run_stream(about("Paris")) as result:
        async for _ in result.stream_text():
            break
    gc.collect()
    await go_on_in_loop()


async def stream_left_events() -> None:
    async with agent.run_stream_events(about("Paris")) as events:
        async for _ in events:
            break
    gc.collect()
    await go_on_in_loop()


async def stream_left_iter() -> None:
    async with agent.iter(about("Paris")) as run:
        async for _ in run:
            break
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    block = agent.run_stream(about("Paris"))
    kept.append((block, await block.__aenter__()))


async def sys_exit() -> None:
    await agent.run(QUIT)


async def sigterm() -> None:
    await agent.run(APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(agent.run(about(city)) for city in CITIES))


main(
    one,
    one_as_chosen,
    one_sync,
    one_iter,
    conversation,
    conversation_sync,
    conversation_streamed,
    stream,
    stream_events,
    stream_left,
    stream_left_events,
    stream_left_iter,
    stream_left_exit,
    sys_exit,
    sigterm,
    three_at_once,
)
