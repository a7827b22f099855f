"""An agent of smolagents."""

import gc
from collections.abc import Iterator
from typing import Any

from given import APPROVAL, CITIES, QUIT, TOOLS, about, go_on, in_threads, main
from smolagents import FinalAnswerStep, OpenAIModel, ToolCallingAgent, tool

tools = [tool(function) for function in TOOLS]
kept: list[object] = []


def agent(**kwargs: Any) -> ToolCallingAgent:
    return ToolCallingAgent(tools, OpenAIModel("gpt-4o-mini"), name="geographer", verbosity_level=0, **kwargs)


def one() -> None:
    print(agent().run(about("Paris")))


def conversation() -> None:
    """It remembers, and has no name for that."""
    geographer = agent()
    for city in CITIES[:2]:
        geographer.run(about(city), reset=False)


def stream() -> None:
    for step in agent(stream_outputs=True).run(about("Paris"), stream=True):
        if isinstance(step, FinalAnswerStep):
            print(step.output)


def stream_left() -> None:
    _begin()
    gc.collect()
    go_on()


def stream_left_exit() -> None:
    kept.append(_begin())


def _begin() -> Iterator[Any]:
    stream = agent(stream_outputs=True).run(about("Paris"), stream=True)
    next(stream)
    return stream


def sys_exit() -> None:
    agent().run(QUIT)


def sigterm() -> None:
    agent().run(APPROVAL)


def three_at_once() -> None:
    in_threads(lambda city: agent().run(about(city)))


main(one, conversation, stream, stream_left, stream_left_exit, sys_exit, sigterm, three_at_once)
