"""Runs that end and runs that are left open, with a TracerProvider that is set up in one of many ways.

    attached.py SETUP END

SETUP: instrumented   `opentelemetry-instrument` has set everything up
       before         the program sets a provider globally, then instruments
       after          the program instruments, then sets a provider globally
       given          the instrumentor is given a provider that nobody else knows
       handed         a provider is not global, but another instrumentor is given it
       plain          a provider is set globally, and there is no instrumentor
END:   exit, signal, shutdown
"""

import os
import sys
import threading
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class Framework(BaseInstrumentor):  # type: ignore[misc]
    """The instrumentation of an agent framework."""

    tracer: trace.Tracer

    def instrumentation_dependencies(self) -> tuple[str, ...]:
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self.tracer = trace.get_tracer("framework", tracer_provider=kwargs.get("tracer_provider"))

    def _uninstrument(self, **kwargs: Any) -> None:
        pass

    def run(self, name: str) -> trace.Span:
        """What it records of a run of an agent, which is going on."""
        return self.tracer.start_span(f"invoke_agent {name}", attributes={"gen_ai.operation.name": "invoke_agent"})


def build() -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def set_up(setup: str) -> TracerProvider:
    """Sets the provider up, and the framework."""
    if setup == "instrumented":
        provider = trace.get_tracer_provider()
        assert isinstance(provider, TracerProvider)
        Framework().instrument()
        return provider
    provider = build()
    if setup in ("before", "plain"):
        trace.set_tracer_provider(provider)
    if setup != "plain":
        from agentops_otel.instrumentation import AgentOpsInstrumentor

        AgentOpsInstrumentor().instrument(**({"tracer_provider": provider} if setup == "given" else {}))
    if setup == "after":
        trace.set_tracer_provider(provider)
    Framework().instrument(**({"tracer_provider": provider} if setup in ("given", "handed") else {}))
    return provider


setup, end = sys.argv[1:]
provider = set_up(setup)

import agentops_otel as ao  # noqa: E402
from agentops_otel.runtime import runtime  # noqa: E402

if setup != "handed":  # where there is no global provider, sessions of ours are not recorded
    with ao.session("ended"):
        provider.get_tracer("program").start_span("step").end()
framework = Framework()
framework.run("ended").end()
left = [framework.run("left")]
if setup != "handed":
    session = ao.start_session("left")
    left.append(provider.get_tracer("program").start_span("left step"))

if os.environ.get("OTEL_CONFIG_FILE"):
    print(runtime.settings.exit_timeout, runtime.settings.propagation)
if end == "signal":
    print("ready")
    threading.Event().wait()
if end == "shutdown":
    provider.shutdown()
