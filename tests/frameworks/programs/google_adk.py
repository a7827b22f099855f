"""An agent of the Agent Development Kit."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on_in_loop, main
from google.adk.agents import LlmAgent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.models.anthropic_llm import AnthropicLlm
from google.adk.runners import InMemoryRunner
from google.genai.types import Content, Part

kept: list[object] = []
runner = InMemoryRunner(
    LlmAgent(name="geographer", model=AnthropicLlm(model="claude-haiku-4-5"), instruction="Answer.", tools=list(TOOLS)),
    app_name="geography",
)


def message(text: str) -> Content:
    return Content(role="user", parts=[Part(text=text)])


async def begin(text: str, session_id: str | None = None, *, stream: bool = False) -> AsyncGenerator[Any, None]:
    sessions = runner.session_service
    where = {"app_name": "geography", "user_id": "ada"}
    session = session_id and await sessions.get_session(**where, session_id=session_id)
    session = session or await sessions.create_session(**where, session_id=session_id)
    config = RunConfig(streaming_mode=StreamingMode.SSE if stream else StreamingMode.NONE)
    return runner.run_async(user_id="ada", session_id=session.id, new_message=message(text), run_config=config)


async def ask(text: str, session_id: str | None = None, *, stream: bool = False) -> None:
    async for event in await begin(text, session_id, stream=stream):
        if event.is_final_response() and not event.partial:
            print(event.content.parts[-1].text)


async def one() -> None:
    await ask(about("Paris"))


def one_sync() -> None:
    session = asyncio.run(runner.session_service.create_session(app_name="geography", user_id="ada"))
    for event in runner.run(user_id="ada", session_id=session.id, new_message=message(about("Paris"))):
        if event.is_final_response():
            print(event.content.parts[-1].text)


async def conversation() -> None:
    for city in CITIES[:2]:
        await ask(about(city), CONVERSATION)


async def stream() -> None:
    await ask(about("Paris"), stream=True)


async def stream_left() -> None:
    await _leave()
    gc.collect()
    await go_on_in_loop()


async def stream_left_exit() -> None:
    kept.append(await _leave())


async def _leave() -> AsyncGenerator[Any, None]:
    stream = await begin(about("Paris"), stream=True)
    async for _ in stream:
        break
    return stream


async def sys_exit() -> None:
    await ask(QUIT)


async def sigterm() -> None:
    await ask(APPROVAL)


async def three_at_once() -> None:
    await asyncio.gather(*(ask(about(city)) for city in CITIES))


main(one, one_sync, conversation, stream, stream_left, stream_left_exit, sys_exit, sigterm, three_at_once)
