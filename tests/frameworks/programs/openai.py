"""An agent without a framework: the OpenAI client, a loop, and sessions of its own."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on, go_on_in_loop, in_threads, main
from openai import AsyncOpenAI, OpenAI

import agentops_otel as ao

MODEL = "gpt-4o-mini"
tools = {tool.__name__: ao.tool(tool) for tool in TOOLS}
described: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": tool.__name__,
            "description": tool.__doc__,
            "parameters": {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]},
        },
    }
    for tool, parameter in zip(TOOLS, ("city", "request", "reason"), strict=True)
]
kept: list[object] = []


def asked(question: str) -> list[Any]:
    return [{"role": "user", "content": question}]


def use(messages: list[Any], message: Any) -> bool:
    """Runs the tools that the model wants; false if it has answered instead."""
    messages.append(message.to_dict())
    for call in message.tool_calls or ():
        result = tools[call.function.name](**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return bool(message.tool_calls)


@ao.session
def answer(question: str) -> str:
    messages = asked(question)
    with OpenAI() as client:
        while True:
            message = client.chat.completions.create(model=MODEL, messages=messages, tools=described).choices[0].message
            if not use(messages, message):
                return str(message.content)


@ao.session
async def answer_async(question: str) -> str:
    messages = asked(question)
    async with AsyncOpenAI() as client:
        while True:
            completion = await client.chat.completions.create(model=MODEL, messages=messages, tools=described)
            if not use(messages, completion.choices[0].message):
                return str(completion.choices[0].message.content)


@ao.session
def answer_by_responses(question: str) -> str:
    asked: list[Any] = [{"role": "user", "content": question}]
    flat: list[Any] = [{"type": "function", **tool["function"]} for tool in described]
    with OpenAI() as client:
        while True:
            response = client.responses.create(model=MODEL, input=asked, tools=flat)
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                return response.output_text
            for call in calls:
                result = tools[call.name](**json.loads(call.arguments))
                asked += [call.to_dict(), {"type": "function_call_output", "call_id": call.call_id, "output": result}]


@ao.session
def answer_streamed(question: str) -> Iterator[str]:
    messages = asked(question)
    with OpenAI() as client:
        while True:
            with client.chat.completions.stream(
                model=MODEL, messages=messages, tools=described, stream_options={"include_usage": True}
            ) as stream:
                for event in stream:
                    if event.type == "content.delta":
                        yield event.delta
            if not use(messages, stream.get_final_completion().choices[0].message):
                return


@ao.session
def chunks(question: str) -> Iterator[Any]:
    yield from OpenAI().chat.completions.create(model=MODEL, messages=asked(question), stream=True)


@ao.session
async def chunks_async(question: str) -> AsyncIterator[Any]:
    stream = await AsyncOpenAI().chat.completions.create(model=MODEL, messages=asked(question), stream=True)
    async for chunk in stream:
        yield chunk


def one() -> None:
    print(answer(about("Paris")))


async def one_async() -> None:
    print(await answer_async(about("Paris")))


def one_by_responses() -> None:
    print(answer_by_responses(about("Paris")))


def conversation() -> None:
    for city in CITIES[:2]:
        with ao.session("turn", conversation_id=CONVERSATION):
            answer.__wrapped__(about(city))


def stream() -> None:
    print("".join(answer_streamed(about("Paris"))))


def stream_left() -> None:
    next(chunks(about("Paris")))
    gc.collect()
    go_on()


async def stream_left_async() -> None:
    async for _ in chunks_async(about("Paris")):
        break
    gc.collect()
    await go_on_in_loop()


def stream_left_exit() -> None:
    begun = chunks(about("Paris"))
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
    one_by_responses,
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
