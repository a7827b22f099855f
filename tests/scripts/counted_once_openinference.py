"""Calls of the OpenAI client under the official instrumentation and that of OpenInference: both report each."""

import asyncio
import sys
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

import agentops_otel as ao

OpenAIInstrumentor().instrument()
OpenInferenceInstrumentor().instrument()
ao.configure()

client = OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="none")
WITH_USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def chat(variant: str) -> dict[str, Any]:
    turns = [
        ("user", "Tell me a story. " * 20),
        ("assistant", "Once upon a time. " * 20),
        ("user", f"{variant}: go on"),
    ]
    return {"model": "gpt-5-mini", "messages": [{"role": role, "content": content} for role, content in turns]}


def response(variant: str) -> dict[str, Any]:
    return {"model": "gpt-5-mini", "input": f"{variant}: go on"}


with ao.session("plain"):
    client.chat.completions.create(**chat("plain"))
with ao.session("stream"):
    for _ in client.chat.completions.create(**chat("stream"), **WITH_USAGE):
        pass
with ao.session("responses"):
    client.responses.create(**response("responses"))
with ao.session("responses stream"):
    for _ in client.responses.create(**response("responses stream"), stream=True):
        pass
with ao.session("embeddings"):
    client.embeddings.create(model="text-embedding-3-small", input="embeddings: one, two")


async def main() -> None:
    client = AsyncOpenAI(base_url=f"{sys.argv[1]}/v1", api_key="none")
    with ao.session("async"):
        await client.chat.completions.create(**chat("async"))
    with ao.session("async stream"):
        async for _ in await client.chat.completions.create(**chat("async stream"), **WITH_USAGE):
            pass
    with ao.session("async responses stream"):
        async for _ in await client.responses.create(**response("async responses stream"), stream=True):
            pass


asyncio.run(main())
