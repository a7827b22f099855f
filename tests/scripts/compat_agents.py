"""A program of the AgentOps SDK that runs an agent of the OpenAI Agents SDK; sys.argv[1] is the server."""

import sys

from openai import AsyncOpenAI

import agentops_otel.compat as agentops

agentops.init()

from agents import (  # type: ignore[import-not-found, unused-ignore]  # noqa: E402
    Agent,
    Runner,
    set_default_openai_client,
)

client = AsyncOpenAI(base_url=sys.argv[1], api_key="none")
set_default_openai_client(client, use_for_tracing=False)  # without a key nothing is sent to OpenAI
print(Runner.run_sync(Agent(name="greeter", model="gpt-4o-mini", instructions="Answer."), "hello").final_output)
agentops.end_session("Success")
