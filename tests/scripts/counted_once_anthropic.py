"""Calls of the Anthropic client, which reports them itself, under its official instrumentation."""

import asyncio
import sys
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor

import agentops_otel as ao

AnthropicInstrumentor().instrument()
ao.configure()

client = Anthropic(base_url=sys.argv[1], api_key="none")


def request(variant: str) -> dict[str, Any]:
    turns = [
        ("user", "Tell me a story. " * 20),
        ("assistant", "Once upon a time. " * 20),
        ("user", f"{variant}: go on"),
    ]
    messages = [{"role": role, "content": content} for role, content in turns]
    return {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": messages}


with ao.session("plain"):
    client.messages.create(**request("plain"))
with ao.session("created stream"):
    for _ in client.messages.create(stream=True, **request("created stream")):
        pass
with ao.session("stream"), client.messages.stream(**request("stream")) as stream:
    stream.get_final_message()


async def main() -> None:
    client = AsyncAnthropic(base_url=sys.argv[1], api_key="none")
    with ao.session("async"):
        await client.messages.create(**request("async"))
    with ao.session("async created stream"):
        async for _ in await client.messages.create(stream=True, **request("async created stream")):
            pass
    with ao.session("async stream"):
        async with client.messages.stream(**request("async stream")) as stream:
            await stream.get_final_message()


asyncio.run(main())
