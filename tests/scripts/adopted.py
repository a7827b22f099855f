"""A run of an agent that an instrumentation marks, and nobody ends; alone, or below the span of a request."""

import os
import signal
import sys
import threading
from collections.abc import Iterator

from _setup import tracer
from opentelemetry import trace
from opentelemetry.context import Context

import agentops_otel as ao

how, around = sys.argv[1:]
RUN = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "agent"}


def work() -> trace.Span:
    tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
    return tracer.start_span("tool")


def steps() -> Iterator[trace.Span]:
    with tracer.start_as_current_span("invoke_agent agent", attributes=RUN):
        yield work()


if around == "in_a_request":
    request = tracer.start_span("GET /")
    request.end()
    outside: Context | None = trace.set_span_in_context(request)
else:
    outside = None

if how == "stream_left":
    stream = steps()
    tool = next(stream)
    del stream
    tool.end()
elif how == "forgotten":
    root = tracer.start_span("invoke_agent agent", context=outside, attributes=RUN)
    with trace.use_span(root):
        work()
    del root
    ao.flush(5)
else:
    root = tracer.start_span("invoke_agent agent", context=outside, attributes=RUN)
    with trace.use_span(root):
        tool = work()
    if how == "sys_exit":
        sys.exit(3)
    if how == "provider_shutdown":
        trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]
    if how == "unhandled":
        raise ValueError("no")
    if how == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait()
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "forked":
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            root.end()
