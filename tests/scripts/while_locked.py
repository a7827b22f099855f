"""The main thread holds a lock that the end of a session needs. Then garbage is collected there, or a signal comes."""

import contextvars
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import _fresh_signals  # noqa: F401
from _setup import open_spans, tracer
from opentelemetry import _logs, trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

import agentops_otel as ao

gc.disable()
lock, event = sys.argv[1:]
provider: Any = trace.get_tracer_provider()
logger_provider: Any = _logs.get_logger_provider()
span_locks: list[Any] = []
is_armed = False


def reached(place: str) -> None:
    global is_armed
    if place == lock and is_armed:
        is_armed = False
        if event == "garbage":
            gc.collect()
        else:
            os.kill(os.getpid(), signal.SIGTERM)
        # Time for others to run into the lock.
        threading.Event().wait(None if event == "signal_for_ever" else 0.2)


class Spans(SpanProcessor):
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        span_locks.append(span._lock)
        with self.lock:
            reached("start_of_span")

    def on_end(self, span: ReadableSpan) -> None:
        with self.lock:
            reached("end_of_span")


class Logs(LogRecordProcessor):
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def on_emit(self, log_record: object) -> None:
        with self.lock:
            reached("log_event")

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        reached("log_handler")


def abandoned(cycle: list[object]) -> Generator[None, None, None]:
    with ao.session("in a generator"):
        yield


def leak() -> None:
    cycle: list[object] = []
    cycle += [ao.start_session("in a cycle"), open_spans(), cycle]
    other: list[object] = []
    other.append(abandoned(other))
    next(other[0])  # type: ignore[call-overload]


provider.add_span_processor(Spans())
logger_provider.add_log_record_processor(Logs())
logging.basicConfig(level=logging.DEBUG, handlers=[Handler()])
logging.captureWarnings(True)
session = ao.start_session("agent")
contextvars.copy_context().run(leak)

is_armed = True
with ExitStack() as held:
    if lock == "spans":
        for span_lock in span_locks:
            held.enter_context(span_lock)
    elif lock == "batch_processors":
        batching = (*provider._active_span_processor._span_processors, logger_provider._multi_log_record_processor)
        for processor in (*batching, *batching[-1]._log_record_processors):
            if hasattr(processor, "_batch_processor"):
                held.enter_context(processor._batch_processor._worker_awaken._cond)
                held.enter_context(processor._batch_processor._export_lock)
    elif lock == "logging":
        held.enter_context(logging._lock)  # type: ignore[attr-defined]
    reached(lock)
with tracer.start_as_current_span("step"), ao.session("another"):
    logging.getLogger("app").warning("working")
assert not is_armed
if event == "signal":
    threading.Event().wait()
session.end()
