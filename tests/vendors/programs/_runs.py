"""What every program here does once its vendor is set up: ``with_VENDOR.py ORDER END``.

ORDER: before, after   when the vendor is set up: before this package is attached, or after
END:   exit, signal, shutdown
"""

import sys
import threading
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def runs(set_up: Callable[[], Any], own_span: Callable[[], None]) -> None:
    """Sets both up and leaves runs that have ended, and others that have not.

    Args:
        set_up: Sets the vendor up and gives the provider that it has made global.
        own_span: Records a span called "vendor's" with the vendor's own functions.
    """
    from agentops_otel.instrumentation import AgentOpsInstrumentor

    order, end = sys.argv[1:]
    if order == "after":
        AgentOpsInstrumentor().instrument()
    provider = set_up()
    if order == "before":
        AgentOpsInstrumentor().instrument()

    import agentops_otel as ao

    program, framework = trace.get_tracer("program"), trace.get_tracer("framework")

    def start(name: str) -> trace.Span:
        return framework.start_span(f"invoke_agent {name}", attributes={"gen_ai.operation.name": "invoke_agent"})

    own_span()
    start("ended").end()  # first: no session of ours has looked at the provider yet
    with ao.session("ended"):
        program.start_span("step", attributes={"gen_ai.operation.name": "chat"}).end()
    left = [start("left")]
    session = ao.start_session("left")
    left.append(program.start_span("left step", attributes={"gen_ai.operation.name": "chat"}))
    if end == "signal":
        print("ready")
        threading.Event().wait()
    if end == "shutdown":
        provider.shutdown()
    KEPT.extend([*left, session])


KEPT: list[object] = []
"""What is left open is held until the end of the process."""


def own_exporter() -> BatchSpanProcessor:
    """The program's own, to where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    return BatchSpanProcessor(OTLPSpanExporter())
