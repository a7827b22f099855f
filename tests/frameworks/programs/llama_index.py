"""An agent of LlamaIndex, alone, in a workflow of agents, and in a workflow of one's own."""

import asyncio
import gc
import os
from typing import Any

from given import APPROVAL, CITIES, QUIT, TOOLS, about, go_on_in_loop, main
from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, FunctionAgent
from llama_index.core.workflow import Context, StartEvent, StopEvent, Workflow, step
from llama_index.llms.openai import OpenAI

kept: list[object] = []


def agent() -> FunctionAgent:
    llm = OpenAI("gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"])
    return FunctionAgent(name="geographer", description="Knows.", tools=list(TOOLS), llm=llm)


class Research(Workflow):
    """A workflow whose only step asks an agent."""

    @step
    async def ask(self, event: StartEvent) -> StopEvent:
        return StopEvent(str(await agent().run(event.question)))


async def one() -> None:
    print(await agent().run(about("Paris")))


async def one_of_agents() -> None:
    print(await AgentWorkflow(agents=[agent()], root_agent="geographer").run(about("Paris")))


async def one_workflow() -> None:
    print(await Research(timeout=60).run(question=about("Paris")))


async def conversation() -> None:
    """It remembers in a context, which has no name."""
    geographer = agent()
    context = Context(geographer)
    for city in CITIES[:2]:
        await geographer.run(about(city), ctx=context)


async def stream() -> None:
    run = agent().run(about("Paris"))
    async for event in run.stream_events():
        if isinstance(event, AgentStream):
            print(event.delta, end="")
    await run


async def stream_left() -> None:
    await _begin()
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    kept.append(await _begin())


async def _begin() -> Any:
    run = agent().run(about("Paris"))
    async for _ in run.stream_events():
        break
    return run


async def sys_exit() -> None:
    await agent().run(QUIT)


async def sigterm() -> None:
    await agent().run(APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(agent().run(about(city)) for city in CITIES))


main(
    one,
    one_of_agents,
    one_workflow,
    conversation,
    stream,
    stream_left,
    stream_left_exit,
    sys_exit,
    sigterm,
    three_at_once,
)
