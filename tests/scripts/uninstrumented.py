"""The program is instrumented and uninstrumented twice, and prints what is not as it was before.

    uninstrumented.py [left]

left: a session that was open when the program was uninstrumented is still open when it ends.
"""

import concurrent.futures.process
import concurrent.futures.thread
import importlib
import inspect
import multiprocessing.context
import multiprocessing.popen_fork
import multiprocessing.popen_spawn_posix
import multiprocessing.process
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import wrapt
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation import instrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import TracerProvider, export

MODULES = [
    threading,
    concurrent.futures.thread,
    concurrent.futures.process,
    multiprocessing.process,
    multiprocessing.context,
    multiprocessing.popen_fork,
    multiprocessing.popen_spawn_posix,
    subprocess,
    sys,
    importlib.import_module("os"),
    trace,
    propagate,
    sdk,
    export,
    importlib.import_module("opentelemetry.sdk._shared_internal"),
    importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter"),
    instrumentor,
]


def functions() -> dict[str, Any]:
    """Every function of these modules and of their classes, and every hook, by name."""
    found: dict[str, Any] = {}
    for module in MODULES:
        for name, value in list(vars(module).items()):
            found |= {f"{module.__name__}.{name}": value} if callable(value) else {}
            if inspect.isclass(value):
                found |= {
                    f"{module.__name__}.{name}.{key}": item for key, item in vars(value).items() if _is_code(item)
                }
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        found[f"handler of {number.name}"] = signal.getsignal(number)
    found["propagator"] = propagate.get_global_textmap()
    found |= {f"finder {finder!r}": finder for finder in sys.meta_path}
    found |= {f"provider.{name}": value for name, value in vars(provider).items() if callable(value)}
    return found


def _is_code(value: object) -> bool:
    return callable(value) or isinstance(value, (staticmethod, classmethod, property))


def changed() -> list[str]:
    now = functions()
    return sorted(name for name in before.keys() | now.keys() if before.get(name) is not now.get(name))


def run(name: str) -> None:
    """What an instrumentation records of a run of an agent."""
    tracer.start_span(f"invoke_agent {name}", attributes={"gen_ai.operation.name": "invoke_agent"}).end()


provider = TracerProvider()
provider.add_span_processor(export.BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("framework")
# The finder that wrapt has from the first hook on is for all who use it, and stays.
wrapt.register_post_import_hook(lambda module: None, "no_such_module")
before = functions()

import agentops_otel as ao  # noqa: E402
from agentops_otel.instrumentation import AgentOpsInstrumentor  # noqa: E402

with suppress_instrumentation():
    run("suppressed")

instrument: Callable[[], None] = lambda: AgentOpsInstrumentor().instrument()  # noqa: E731
for turn in ("first", "second"):
    instrument()
    instrument()  # again: nothing
    run(f"{turn} seen")
    with suppress_instrumentation():
        run(f"{turn} suppressed")
    print(len(changed()) > 10)
    session = ao.start_session(turn)
    step = tracer.start_span(f"{turn} step")
    AgentOpsInstrumentor().uninstrument()
    print(changed())
    tracer.start_span(f"{turn} quiet step").end()
    tracer.start_span(f"{turn} elsewhere", context=trace.set_span_in_context(trace.INVALID_SPAN)).end()
    if turn == "second" and "left" in sys.argv:
        break
    session.end()
    step.end()
    run(f"{turn} unseen")
print([type(processor).__name__ for processor in provider._active_span_processor._span_processors])
