"""An agent of the Claude Agent SDK, which is the real program of Claude Code with tools of this one."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    create_sdk_mcp_server,
    query,
    tool,
)
from given import APPROVAL, CITIES, QUIT, about, approval, go_on_in_loop, main, population, quit_program

CONVERSATION = "6f0d4c5e-5d3b-4a53-9b1c-0c8b1f6a7d11"
"""It takes nothing but UUIDs."""

kept: list[object] = []


def offered(function: Callable[[str], str], argument: str) -> Any:
    @tool(function.__name__, str(function.__doc__), {argument: str})
    async def call(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": function(arguments[argument])}]}

    return call


tools = [offered(population, "city"), offered(approval, "request"), offered(quit_program, "reason")]


def options(**kwargs: Any) -> ClaudeAgentOptions:
    return ClaudeAgentOptions(
        model="claude-sonnet-4-5",
        system_prompt="Answer.",
        tools=[],
        mcp_servers={"given": create_sdk_mcp_server("given", tools=tools)},
        allowed_tools=[f"mcp__given__{function.__name__}" for function in (population, approval, quit_program)],
        setting_sources=[],
        **kwargs,
    )


async def _ask(question: str, **kwargs: Any) -> None:
    async for message in query(prompt=question, options=options(**kwargs)):
        if isinstance(message, ResultMessage):
            print(message.result)


async def one() -> None:
    await _ask(about("Paris"))


async def one_client() -> None:
    async with ClaudeSDKClient(options()) as client:
        await client.query(about("Paris"))
        async for message in client.receive_response():
            if isinstance(message, ResultMessage):
                print(message.result)


async def conversation() -> None:
    await _ask(about("Paris"), session_id=CONVERSATION)
    await _ask(about("Lisbon"), resume=CONVERSATION)


async def conversation_client() -> None:
    async with ClaudeSDKClient(options(session_id=CONVERSATION)) as client:
        for city in CITIES[:2]:
            await client.query(about(city))
            async for _ in client.receive_response():
                pass


async def stream() -> None:
    await _ask(about("Paris"), include_partial_messages=True)


async def stream_left() -> None:
    await _begin()
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    kept.append(await _begin())


async def _begin() -> AsyncIterator[Any]:
    messages = aiter(query(prompt=about("Paris"), options=options()))
    await anext(messages)
    return messages


async def sys_exit() -> None:
    await _ask(QUIT)


async def sigterm() -> None:
    await _ask(APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(_ask(about(city)) for city in CITIES))


main(
    one,
    one_client,
    conversation,
    conversation_client,
    stream,
    stream_left,
    stream_left_exit,
    sys_exit,
    sigterm,
    three_at_once,
)
