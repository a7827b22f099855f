"""LangGraph, and the agents of LangChain on top of it, with the official instrumentation of LangChain."""

from __future__ import annotations

from frameworks.harness import CANCELLED, EXITED, Framework, Scenarios


class TestLangGraph(Scenarios):
    framework = Framework(
        "langgraph",
        ways=("one_async", "one_of_langchain", "one_of_langchain_async", "stream_async"),
        also=(
            "stream_left_async",
            "stream_left_exit_async",
            "sys_exit_async",
            "sigterm_async",
            "three_at_once_async",
        ),
        conversations=("conversation", "conversation_of_langchain", "conversation_streamed"),
        # LangSmith's, by its documents; it is off unless it has a key.
        # A tool that exits does it in a task, and with it the event loop cancels the run.
        sys_exit=(EXITED, CANCELLED),
        env={"LANGSMITH_TRACING": "false"},
    )
