"""The names of the AgentOps SDK, on these sessions: ``import agentops_otel.compat as agentops``.

client.py      init, configure, Client: set sessions up, and hold the one of the whole process
traces.py      start_trace, end_trace: sessions that nobody needs to hold
legacy.py      start_session, end_session, track_agent: the same in the words of older releases
events.py      record, LLMEvent, ...: calls that a program reports itself, as spans
told_twice.py  which of these its instrumented client has reported too
llm_calls.py   the official instrumentations of LLM clients, as soon as a client is there
decorators.py  trace, agent, operation, ...
states.py      every spelling of an end state
settings.py    what arguments mean here, and which mean nothing
span_names.py  the option to keep the old names of spans
validation.py  validate_trace_spans
semconv.py     the old names
install.py     serves ``import agentops`` to code that cannot be changed
"""

from .client import Client, configure, get_client, init
from .decorators import agent, guardrail, operation, session, task, tool, trace, track_endpoint, workflow
from .events import ActionEvent, ErrorEvent, LLMEvent, ToolEvent, record
from .install import install
from .legacy import Session, end_all_sessions, end_session, start_session, track_agent, track_tool
from .states import ERROR, SUCCESS, UNSET, TraceState
from .traces import TraceContext, end_trace, start_trace, tracer, update_trace_metadata
from .validation import ValidationError, print_validation_summary, validate_trace_spans

__all__ = [
    "ERROR",
    "SUCCESS",
    "UNSET",
    "ActionEvent",
    "Client",
    "ErrorEvent",
    "LLMEvent",
    "Session",
    "ToolEvent",
    "TraceContext",
    "TraceState",
    "ValidationError",
    "agent",
    "configure",
    "end_all_sessions",
    "end_session",
    "end_trace",
    "get_client",
    "guardrail",
    "init",
    "install",
    "operation",
    "print_validation_summary",
    "record",
    "session",
    "start_session",
    "start_trace",
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
