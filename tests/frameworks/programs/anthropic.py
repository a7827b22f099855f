"""An agent without a framework: the Anthropic client, a loop, and sessions of its own."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on, go_on_in_loop, in_threads, main

import agentops_otel as ao

MODEL = "claude-sonnet-4-5"
tools = {tool.__name__: ao.tool(tool) for tool in TOOLS}
described: list[Any] = [
    {
        "name": tool.__name__,
        "description": tool.__doc__,
        "input_schema": {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]},
    }
    for tool, parameter in zip(TOOLS, ("city", "request", "reason"), strict=True)
]
kept: list[object] = []


def asked(question: str) -> list[Any]:
    return [{"role": "user", "content": question}]


def use(messages: list[Any], message: Any) -> str | None:
    """Runs the tools that the model wants; or what it has answered instead."""
    messages.append({"role": "assistant", "content": [block.to_dict() for block in message.content]})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": tools[block.name](**block.input)}
        for block in message.content
        if block.type == "tool_use"
    ]
    messages.append({"role": "user", "content": results})
    return None if results else "".join(block.text for block in message.content)


@ao.session
def answer(question: str) -> str:
    messages = asked(question)
    with Anthropic() as client:
        while True:
            message = client.messages.create(model=MODEL, messages=messages, tools=described, max_tokens=500)
            text = use(messages, message)
            if text is not None:
                return text


@ao.session
async def answer_async(question: str) -> str:
    messages = asked(question)
    async with AsyncAnthropic() as client:
        while True:
            message = await client.messages.create(model=MODEL, messages=messages, tools=described, max_tokens=500)
            text = use(messages, message)
            if text is not None:
                return text


@ao.session
def answer_streamed(question: str) -> Iterator[str]:
    messages = asked(question)
    with Anthropic() as client:
        while True:
            with client.messages.stream(model=MODEL, messages=messages, tools=described, max_tokens=500) as stream:
                yield from stream.text_stream
            if use(messages, stream.get_final_message()) is not None:
                return


@ao.session
def events(question: str) -> Iterator[Any]:
    yield from Anthropic().messages.create(model=MODEL, messages=asked(question), max_tokens=500, stream=True)


@ao.session
async def events_async(question: str) -> AsyncIterator[Any]:
    stream = await AsyncAnthropic().messages.create(model=MODEL, messages=asked(question), max_tokens=500, stream=True)
    async for event in stream:
        yield event


def one() -> None:
    print(answer(about("Paris")))


async def one_async() -> None:
    print(await answer_async(about("Paris")))


def conversation() -> None:
    for city in CITIES[:2]:
        with ao.session("turn", conversation_id=CONVERSATION):
            answer.__wrapped__(about(city))


def stream() -> None:
    print("".join(answer_streamed(about("Paris"))))


def stream_left() -> None:
    next(events(about("Paris")))
    gc.collect()
    go_on()


async def stream_left_async() -> None:
    async for _ in events_async(about("Paris")):
        break
    gc.collect()
    await go_on_in_loop()


def stream_left_exit() -> None:
    begun = events(about("Paris"))
    next(begun)
    kept.append(begun)


def sys_exit() -> None:
    answer(QUIT)


def sigterm() -> None:
    answer(APPROVAL)


def three_at_once() -> None:
    in_threads(lambda city: answer(about(city)))


async def three_at_once_async() -> None:
    await asyncio.gather(*(answer_async(about(city)) for city in CITIES))


main(
    one,
    one_async,
    conversation,
    stream,
    stream_left,
    stream_left_async,
    stream_left_exit,
    sys_exit,
    sigterm,
    three_at_once,
    three_at_once_async,
)
