"""A graph of LangGraph, and an agent of LangChain, which is one too."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

from given import APPROVAL, CITIES, CONVERSATION, QUIT, TOOLS, about, go_on, go_on_in_loop, in_threads, main
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

model = ChatOpenAI(model="gpt-4o-mini")
bound = model.bind_tools(list(TOOLS))


def think(state: MessagesState) -> dict[str, Any]:
    return {"messages": [bound.invoke(state["messages"])]}


def _graph() -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(list(TOOLS)))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    return graph.compile(checkpointer=InMemorySaver(), name="geographer")


graph = _graph()
agent = create_agent(model, list(TOOLS), name="geographer", checkpointer=InMemorySaver())
kept: list[object] = []


def asked(question: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}]}


def config(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def run(city: str) -> None:
    print(graph.invoke(asked(about(city)), config(city))["messages"][-1].content)


async def arun(city: str) -> None:
    print((await graph.ainvoke(asked(about(city)), config(city)))["messages"][-1].content)


def one() -> None:
    run("Paris")


async def one_async() -> None:
    await arun("Paris")


def one_of_langchain() -> None:
    print(agent.invoke(asked(about("Paris")), config("Paris"))["messages"][-1].content)


async def one_of_langchain_async() -> None:
    print((await agent.ainvoke(asked(about("Paris")), config("Paris")))["messages"][-1].content)


def conversation() -> None:
    for city in CITIES[:2]:
        graph.invoke(asked(about(city)), config(CONVERSATION))


def conversation_of_langchain() -> None:
    for city in CITIES[:2]:
        agent.invoke(asked(about(city)), config(CONVERSATION))


async def conversation_streamed() -> None:
    for city in CITIES[:2]:
        async for _ in agent.astream(asked(about(city)), config(CONVERSATION), stream_mode="messages"):
            pass


def stream() -> None:
    for state in graph.stream(asked(about("Paris")), config("Paris"), stream_mode="values"):
        last = state["messages"][-1].content
    print(last)


async def stream_async() -> None:
    async for state in agent.astream(asked(about("Paris")), config("Paris"), stream_mode="values"):
        last = state["messages"][-1].content
    print(last)


def _begun() -> Iterator[Any]:
    states = iter(graph.stream(asked(about("Paris")), config("Paris"), stream_mode="values"))
    next(states)
    next(states)
    return states


def stream_left() -> None:
    _begun()
    gc.collect()
    go_on()


async def stream_left_async() -> None:
    async for _ in agent.astream(asked(about("Paris")), config("Paris"), stream_mode="values"):
        break
    gc.collect()
    await go_on_in_loop()


def stream_left_exit() -> None:
    kept.append(_begun())


async def stream_left_exit_async() -> None:
    states = agent.astream(asked(about("Paris")), config("Paris"), stream_mode="values")
    await anext(states)
    await anext(states)
    kept.append(states)


def sys_exit() -> None:
    graph.invoke(asked(QUIT), config("Paris"))


async def sys_exit_async() -> None:
    await agent.ainvoke(asked(QUIT), config("Paris"))


def sigterm() -> None:
    graph.invoke(asked(APPROVAL), config("Paris"))


async def sigterm_async() -> None:
    await agent.ainvoke(asked(APPROVAL), config("Paris"))


def three_at_once() -> None:
    in_threads(run)


async def three_at_once_async() -> None:
    await asyncio.gather(*map(arun, CITIES))


main(
    one,
    one_async,
    one_of_langchain,
    one_of_langchain_async,
    conversation,
    conversation_of_langchain,
    conversation_streamed,
    stream,
    stream_async,
    stream_left,
    stream_left_async,
    stream_left_exit,
    stream_left_exit_async,
    sys_exit,
    sys_exit_async,
    sigterm,
    sigterm_async,
    three_at_once,
    three_at_once_async,
)
