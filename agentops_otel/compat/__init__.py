"""The names of the AgentOps SDK, on these sessions: ``import agentops_otel.compat as agentops``.

client.py      init, configure, Client: set sessions up, and hold the one of the whole process
traces.py      start_trace, end_trace: sessions that nobody needs to hold
legacy.py      start_session, end_session, track_agent: the same in the words of older releases
recording.py   record_action, record_tool: their decorators
events.py      record, LLMEvent, ...: calls that a program reports itself, as spans
recorded.py    how many of these each session has
told_twice.py  which of these its instrumented client has reported too
llm_calls.py   the official instrumentations of LLM clients, as soon as a client is there
langchain.py   LangchainCallbackHandler, for those who have LangChain
decorators.py  trace, agent, operation, ...
states.py      every spelling of an end state
settings.py    what arguments mean here, and which mean nothing
span_names.py  the option to keep the old names of spans
validation.py  validate_trace_spans
semconv.py     the old names
install.py     serves ``import agentops`` to code that cannot be changed
"""

from logging import getLogger
from typing import Any

from .client import Client, configure, get_client, init
from .decorators import agent, guardrail, operation, session, task, tool, trace, track_endpoint, workflow
from .events import ActionEvent, ErrorEvent, Event, LLMEvent, ToolEvent, record
from .install import install
from .legacy import (
    Session,
    add_tags,
    create_agent,
    end_all_sessions,
    end_session,
    get_session,
    set_tags,
    start_session,
    stop_instrumenting,
    track_agent,
    track_tool,
)
from .recording import record_action, record_function, record_tool
from .states import ERROR, SUCCESS, UNSET, EndState, TraceState
from .traces import TraceContext, end_trace, start_trace, tracer, update_trace_metadata
from .validation import ValidationError, print_validation_summary, validate_trace_spans

__all__ = [
    "ERROR",
    "SUCCESS",
    "UNSET",
    "ActionEvent",
    "Client",
    "EndState",
    "ErrorEvent",
    "Event",
    "LLMEvent",
    "Session",
    "ToolEvent",
    "TraceContext",
    "TraceState",
    "ValidationError",
    "add_tags",
    "agent",
    "configure",
    "create_agent",
    "end_all_sessions",
    "end_session",
    "end_trace",
    "get_client",
    "get_session",
    "guardrail",
    "init",
    "install",
    "logger",
    "operation",
    "print_validation_summary",
    "record",
    "record_action",
    "record_function",
    "record_tool",
    "session",
    "set_tags",
    "start_session",
    "start_trace",
    "stop_instrumenting",
    "task",
    "tool",
    "trace",
    "tracer",
    "track_agent",
    "track_endpoint",
    "track_tool",
    "update_trace_metadata",
    "validate_trace_spans",
    "workflow",
]

logger = getLogger("agentops_otel")
"""What this package says."""

_OF_LANGCHAIN = ("AsyncLangchainCallbackHandler", "LangchainCallbackHandler")


def __getattr__(name: str) -> Any:
    # LangChain takes seconds to import, and most programs have not got it.
    if name in _OF_LANGCHAIN:
        try:
            from . import langchain
        except ImportError as error:
            raise AttributeError(f"{name} needs LangChain: {error}") from error
        return getattr(langchain, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
