"""Runs of frameworks that nobody marks: a workflow each, and so a session, unless they are in one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from support.spans import Spans, ending

import agentops_otel as ao
from agentops_otel.instrumentation.frameworks.as_workflow import as_workflow
from agentops_otel.instrumentation.frameworks.wrapping import Wrapping


class Team:
    def __init__(self, name: object = None) -> None:
        self.name = name

    def run(self, task: str) -> str:
        return f"{task} is done"

    async def run_stream(self, task: str) -> AsyncIterator[str]:
        yield task
        yield "done"


@pytest.fixture(autouse=True)
def wrapping() -> Iterator[Wrapping]:
    wrapping = Wrapping(sys.modules[__name__])
    wrapping.wrap("Team.run", as_workflow)
    wrapping.wrap("Team.run_stream", as_workflow)
    yield wrapping
    wrapping.undo()


async def read(stream: AsyncIterator[str]) -> None:
    async for _ in stream:
        pass


async def leave(stream: AsyncIterator[str]) -> None:
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("said", "name"), [("geographers", "geographers"), (None, "Team"), ("", "Team"), (1, "Team")])
def test_is_named_after_its_object(spans: Spans, said: object, name: str) -> None:
    assert Team(said).run("it") == "it is done"
    [root] = spans.all()
    assert root.name == f"invoke_workflow {name}"
    assert ending(root)[:2] == ("success", "completed")


def test_in_a_session_is_a_part_of_it(spans: Spans) -> None:
    with ao.session("s"):
        Team().run("it")
    assert [span.name for span in spans.all()] == ["session s"]


def test_that_streams_is_one_until_it_is_read_or_left(spans: Spans) -> None:
    asyncio.run(read(Team("read").run_stream("it")))
    asyncio.run(leave(Team("left").run_stream("it")))
    assert ending(spans.by_name("invoke_workflow read"))[:2] == ("success", "completed")
    assert ending(spans.by_name("invoke_workflow left"))[:2] == ("unknown", "cancelled")


def test_that_is_given_back_is_none(spans: Spans, wrapping: Wrapping) -> None:
    wrapping.undo()
    Team().run("it")
    assert spans.all() == []
