"""A small research agent whose sessions end in five different ways. It needs no key and no network.

    agentops-otel run examples/research_agent.py

The program does not set telemetry up: the runner does, and the official instrumentation of the OpenAI client
records the calls of the model. All that the program adds is its sessions, and a decorator on each tool.
"""

import ast
import inspect
import json
import operator
import subprocess
import sys
import time
from collections.abc import Callable
from typing import cast

from llm_server import LLMServer
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

import agentops_otel as ao

# --- Tools ------------------------------------------------------------------------------------------------

POPULATIONS = {"Lisbon": 545_796, "Paris": 2_102_650}
NOTES = {"tides": "The Moon pulls the water, twice a day."}
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@ao.tool
def population(city: str) -> str:
    """The number of people who live in a city."""
    return f"{POPULATIONS[city]:,} people live in {city}"


@ao.tool
def search_notes(topic: str) -> str:
    """What my notes say about a topic."""
    if topic not in NOTES:
        raise LookupError(f"there is no note about {topic}")
    return NOTES[topic]


@ao.tool
def calculate(expression: str) -> str:
    """The value of an arithmetic expression."""

    def value(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.BinOp(left, op, right) if type(op) in OPERATORS:
                return float(OPERATORS[type(op)](value(left), value(right)))
        raise ValueError(f"cannot calculate {expression!r}")

    return f"{expression} is {value(ast.parse(expression, mode='eval').body):,.0f}"


@ao.tool
def approval(request: str) -> str:
    """Ask a human for approval. This one takes ten minutes."""
    print("waiting", flush=True)
    time.sleep(600)
    return f"approved: {request}"


TOOLS: dict[str, Callable[..., str]] = {f.__name__: f for f in (population, search_notes, calculate, approval)}


def describe(tool: Callable[..., str]) -> ChatCompletionToolParam:
    """A tool as the model sees it: its name, what it is for, and its parameters, here always strings."""
    properties = {name: {"type": "string"} for name in inspect.signature(tool).parameters}
    parameters: dict[str, object] = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": tool.__name__, "description": tool.__doc__, "parameters": parameters}
    return cast(ChatCompletionToolParam, {"type": "function", "function": function})


# --- The agent --------------------------------------------------------------------------------------------


def ask(client: OpenAI, question: str) -> str:
    """The loop of every agent: ask the model, run the tools it wants, give it the results, until it answers."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": question}]
    tools = [describe(tool) for tool in TOOLS.values()]
    while True:
        completion = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=tools)
        message = completion.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(cast(ChatCompletionMessageParam, message.to_dict()))
        for call in message.tool_calls:
            if call.type == "function":
                result = TOOLS[call.function.name](**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


# --- Five sessions, five endings --------------------------------------------------------------------------


def finished(client: OpenAI) -> str:
    with ao.session("research", user_id="ada") as session:
        answer = ask(client, "What is the population of Paris, and how many is that per km²: 2102650 / 105?")
        session.set_attribute("research.answer.length", len(answer))
    return answer


def failed(client: OpenAI) -> str:
    try:
        with ao.session("research", user_id="ada"):
            return ask(client, "What do my notes say about dragons?")
    except LookupError as error:
        return f"failed: {error}"


def forgotten(client: OpenAI) -> str:
    """Nobody ends this session: its only handle is gone when the function returns."""
    session = ao.start_session("forgotten")
    with session.attach():
        return ask(client, "What do my notes say about tides?")


open_chats: list[ao.Session] = []


def left_open(client: OpenAI) -> str:
    """Nobody ends this session either, but the handle lives on, as long as the program."""
    session = ao.start_session("chat")
    open_chats.append(session)
    with session.attach():
        return ask(client, "Hello!")


def stopped() -> str:
    """A second process, which gets a SIGTERM while a tool runs."""
    command = [sys.executable, __file__, "worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()  # comes from the tool
        worker.terminate()
    return f"the worker's exit status is {worker.returncode}"


def main() -> None:
    with LLMServer() as server, OpenAI(base_url=server.base_url, api_key="none") as client:
        if sys.argv[1:] == ["worker"]:
            with ao.session("worker"):
                ask(client, "Get approval for the report.")
            return
        print("A session that ends well.  ", finished(client))
        print("One that fails.            ", failed(client))
        print("One that is forgotten.     ", forgotten(client))
        print("One that stays open.       ", left_open(client))
        print("One stopped from outside.  ", stopped())


if __name__ == "__main__":
    main()
