"""Memory: whatever number of sessions has ended or leaked, the process is back where it was.

Each test is a program of its own that counts what it allocated (`tracemalloc`) between a first round, which fills
caches, and the end of the real one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import pytest
from support import programs

BOUND = 256 * 1024
"""Bytes that may be left: tables of the interpreter and the SDK that have grown and not shrunk, whatever the number
of sessions. A hundred thousand sessions that left one pointer each behind would be over it."""

DROPPED = min(100_000, int(os.environ.get("AGENTOPS_TEST_MANY", "20000")))
"""Sessions; `nox -s chaos` has a hundred thousand."""

HEAD = """
import asyncio, contextvars, gc, json, sys, tracemalloc, warnings
from collections import Counter
import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.sessions.recent import REMEMBERED
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

warnings.simplefilter("ignore", ResourceWarning)
arrived, ids = Counter(), 0

class Counting(SpanExporter):
    def export(self, spans):
        for span in spans:
            arrived["child" if span.parent else span.attributes["agentops.session.end_reason"]] += 1
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Counting(), max_queue_size=500_000, schedule_delay_millis=100))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("program")

def settle():
    gc.collect()
    runtime.worker.settle(60)
    assert ao.flush(60)
    gc.collect()
    runtime.worker.settle(60)
"""
TAIL = """
work(1000)
settle()
arrived.clear()
tracemalloc.start()
before = tracemalloc.get_traced_memory()[0]
work(int(sys.argv[1]))
settle()
recent = runtime.registry.recent
for generation in (recent._young, recent._old):
    assert len(generation) <= REMEMBERED
    generation.clear()  # those are bounded by their number
gc.collect()
left = tracemalloc.get_traced_memory()[0] - before
top = [str(line) for line in tracemalloc.take_snapshot().statistics("lineno")[:8]]
print(json.dumps({"arrived": arrived, "left": left, "open": len(ao.open_sessions()), "top": top}))
"""


@dataclass(frozen=True)
class Result:
    arrived: dict[str, int]
    left: int
    open: int
    top: list[str]


def result_of(work: str, number: int) -> Result:
    """Runs ``work(number)`` in a program."""
    outcome = programs.run(["-c", HEAD + work + TAIL, str(number)], timeout=110)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    return Result(**json.loads(outcome.stdout))


def test_many_dropped_sessions_arrive_and_leave_nothing() -> None:
    result = result_of(
        """
def work(number):
    for _ in range(number):
        ao.start_session("dropped")
""",
        DROPPED,
    )
    assert result.arrived == {"garbage_collected": DROPPED}
    assert result.open == 0
    assert result.left < BOUND, result.top


def test_sessions_with_children_leave_nothing() -> None:
    result = result_of(
        """
def work(number):
    for _ in range(number):
        with ao.session("s", tags=["t"], conversation_id="c", max_duration=3600):
            for _ in range(3):
                with tracer.start_as_current_span("child", attributes={"gen_ai.operation.name": "chat"}):
                    pass
""",
        5_000,
    )
    assert result.arrived == {"completed": 5_000, "child": 15_000}
    assert result.left < BOUND, result.top


def test_sessions_that_leak_in_contexts_that_are_kept_leave_what_the_contexts_hold_at_most() -> None:
    # A context holds the record of its session, not the session: what the program keeps costs it a small record.
    result = result_of(
        """
kept = []

def leak():
    ao.start_session("leaked", attributes={"big": "x" * 10_000})
    kept.append((contextvars.copy_context(), context.get_current()))

def work(number):
    kept.clear()
    for _ in range(number):
        contextvars.Context().run(leak)
""",
        2_000,
    )
    assert result.arrived == {"garbage_collected": 2_000}
    assert result.open == 0
    assert result.left < BOUND + 2_000 * 2_500, result.top


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(
            """
def work(number):
    session = ao.start_session()
    for _ in range(number):
        following = ao.start_session()
        session.end()
        session = following
    session.end()
""",
            id="overlapping in one context",
        ),
        pytest.param(
            """
@ao.session
def steps():
    yield 1
    yield 2

def work(number):
    for _ in range(number):
        for _ in steps():
            break
""",
            id="abandoned generators",
        ),
        pytest.param(
            """
def work(number):
    for _ in range(number):
        try:
            with ao.session():
                tracer.start_span("left open")
                raise ValueError
        except ValueError:
            pass
""",
            id="exceptions with descendants left open",
        ),
        pytest.param(
            """
async def main(number):
    async def one():
        async with ao.session():
            await asyncio.sleep(0)
    for _ in range(number // 100):
        await asyncio.gather(*(one() for _ in range(100)))

def work(number):
    asyncio.run(main(number))
""",
            id="tasks",
        ),
        pytest.param(
            """
def work(number):
    with ao.session():
        for _ in range(number):
            tracer.start_span("child", attributes={"gen_ai.operation.name": "chat"}).end()
""",
            id="many spans in one session",
        ),
    ],
)
def test_other_lives_leave_nothing(work: str) -> None:
    result = result_of(work, 5_000)
    assert result.arrived
    assert result.open == 0
    assert result.left < BOUND, result.top
