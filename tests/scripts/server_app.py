"""A web application that knows nothing of sessions. Its handlers wait in the middle until AGENTOPS_TEST_GATE exists."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from pydantic import BaseModel

app = FastAPI()
tracer = trace.get_tracer("instrumentation")
gate = Path(os.environ["AGENTOPS_TEST_GATE"])


class Question(BaseModel):
    text: str


@app.get("/ready")
def ready() -> bool:
    return True


@app.post("/coroutine")
async def coroutine(question: Question) -> str:
    with tracer.start_as_current_span(question.text):
        print("working", os.getpid(), flush=True)
        while not gate.exists():
            await asyncio.sleep(0.01)
    return question.text


@app.post("/function")
def function(question: Question) -> str:
    with tracer.start_as_current_span(question.text):
        _wait()
    return question.text


@app.post("/agents")
async def agents(question: Question) -> str:
    """Runs two agents, one after the other, of a framework whose instrumentation marks them."""
    for number in "12":
        name = question.text + number
        marks = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
        with tracer.start_as_current_span(f"invoke_agent {name}", attributes=marks):
            await coroutine(Question(text=name))
    return question.text


@app.post("/stream")
def stream(question: Question) -> StreamingResponse:
    return StreamingResponse(tokens(question.text))


def tokens(text: str) -> Iterator[str]:
    with tracer.start_as_current_span(text):
        yield '"'
        _wait()
        yield text
    yield '"'


def _wait() -> None:
    print("working", os.getpid(), flush=True)
    while not gate.exists():
        threading.Event().wait(0.01)
