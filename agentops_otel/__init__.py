"""Agent sessions on OpenTelemetry.

sessions/         LIFE: what a session is, from its start to its end
exits/            DEATH: the hooks that notice the end of a process or a provider
journal/          AFTERLIFE: spans on disk until they are delivered, and what a killed process has left
decorators/       functions of any kind as sessions, and functions and classes as agents, tools, ...
across/           threads, pools, processes, requests and tasks: how a session goes along
sampling/         keep the failed ones: a session is exported as a whole or not at all
testing/          for tests of programs that use this package
compat/           the AgentOps SDK's names, for programs that were written for it
instrumentation/  zero-code: what `opentelemetry-instrument` and `agentops-otel run` call
cli/              the command `agentops-otel`
runtime.py        joins the parts; the only process-wide state
api.py            the public functions; operations.py the public decorators; processor.py the public span processor,
                  all on top of the runtime
shield.py         the one place where an exception stops
own_threads.py    threads that leave signals to the main one
semconv.py        every name that is written
config.py         every setting
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

from .api import (
    configure,
    current_session,
    end_all_sessions,
    flush,
    join_session,
    open_sessions,
    record_score,
    session,
    start_session,
)
from .operations import agent, guardrail, task, tool, workflow
from .sessions.handle import Session
from .sessions.state import EndReason, EndState

if TYPE_CHECKING:
    from .processor import SessionSpanProcessor

__all__ = [
    "EndReason",
    "EndState",
    "Session",
    "SessionSpanProcessor",
    "agent",
    "configure",
    "current_session",
    "end_all_sessions",
    "flush",
    "guardrail",
    "join_session",
    "open_sessions",
    "record_score",
    "session",
    "start_session",
    "task",
    "tool",
    "workflow",
]


if not TYPE_CHECKING:  # for a type checker every name would exist

    def __getattr__(name: str) -> Any:
        # The span processor needs the SDK, which is half of the time of this import.
        if name == "SessionSpanProcessor":
            from .processor import SessionSpanProcessor

            return SessionSpanProcessor
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
