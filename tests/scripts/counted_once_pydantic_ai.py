"""Agents of Pydantic AI, which report the calls of the OpenAI client, which its own instrumentation reports too."""

import asyncio
import sys

from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

import agentops_otel as ao

provider = OpenAIProvider(base_url=f"{sys.argv[1]}/v1", api_key="none")
OpenAIInstrumentor().instrument()
Agent.instrument_all()
ao.configure()


def agent(kind: type[OpenAIChatModel] | type[OpenAIResponsesModel]) -> Agent[None, str]:
    made = Agent(kind("gpt-5-mini", provider=provider), instructions="Be short, and say what you know. " * 20)

    @made.tool_plain
    def population(city: str) -> str:
        """The number of people who live in a city."""
        return f"2,102,650 people live in {city}"

    return made


def question(variant: str) -> str:
    return f"{variant}: what is the population of Paris?"


async def plain(variant: str, asked: Agent[None, str]) -> None:
    with ao.session(variant):
        await asked.run(question(variant))


async def streamed(variant: str, asked: Agent[None, str]) -> None:
    with ao.session(variant):
        async with asked.run_stream(question(variant)) as stream:
            async for _ in stream.stream_text():
                pass


async def main() -> None:
    for name, kind in (("chat", OpenAIChatModel), ("responses", OpenAIResponsesModel)):
        await plain(f"plain {name}", agent(kind))
        await streamed(f"streamed {name}", agent(kind))
        await asyncio.gather(plain(f"first {name}", agent(kind)), streamed(f"second {name}", agent(kind)))


asyncio.run(main())
