"""A random program of sessions: nested, concurrent, in threads, tasks and forked children, some of them dropped.

    python program.py SEED DEPTH

What it did it tells the driver through the pipe ACKNOWLEDGE, always after the call had returned; `chaos.told` knows
the words. It never ends before it has told so, unless it is killed.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

sys.path.insert(0, str(Path(__file__).parent.parent))

from chaos import told
from chaos.unreliable import PROCESS_HEADER

import agentops_otel as ao

seed, depth = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
deadline = time.monotonic() + chance.uniform(0.2, 2.5)
is_simple = chance.random() < 0.2
"""Whether spans are exported where they end."""
held: list[ao.Session] = []
"""Sessions that are open until the process ends."""

http = requests.Session()
provider = TracerProvider()
tracer = provider.get_tracer("chaos")


class Process:
    """This one, or a forked child of it."""

    def __init__(self) -> None:
        self.begin("program")

    def begin(self, kind: str) -> None:
        """Tells who it is, also to the collector."""
        self.name = f"{os.getpid()}-{time.monotonic_ns()}"
        http.headers[PROCESS_HEADER] = self.name
        self.tell(told.BEGUN, str(os.getpid()), str(os.getpgrp()), kind)

    def tell(self, word: str, *rest: str) -> None:
        # Shorter than PIPE_BUF, so it is never mixed with what others tell.
        os.write(told.PIPE, (" ".join((word, self.name, *rest)) + "\n").encode())


def set_up() -> None:
    exporter = OTLPSpanExporter(session=http)
    if is_simple:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        delay = chance.choice([20, 200, 1000])
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
    trace.set_tracer_provider(provider)


def started(session: ao.Session) -> str:
    """Tells of a session; its trace id."""
    trace_id = session.trace_id or ""
    process.tell(told.STARTED, trace_id)
    return trace_id


def work(chance: random.Random, level: int = 0) -> None:
    """A span, maybe with others in it."""
    with tracer.start_as_current_span(f"step {level}") as span:
        # Asked now: a span that ends with its session has no id afterwards.
        in_session, span_id = ao.current_session(), span.get_span_context().span_id
        for number in range(chance.randrange(4)):
            span.set_attribute(f"attribute {number}", chance.choice(["text", 1, 0.5, True]))
        if chance.random() < 0.3:
            span.add_event("event", {"number": level})
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 0.02))
        if level < 3 and chance.random() < 0.4:
            work(chance, level + 1)
    if in_session is not None:
        process.tell(told.SPAN_ENDED, f"{span_id:016x}")


# -- what may happen ----------------------------------------------------------------------------------------------


def block(chance: random.Random) -> None:
    with suppress(ValueError), ao.session("block", tags=["chaos"]) as session:
        trace_id = started(session)
        for _ in range(chance.randrange(4)):
            act(chance, nested=True)
        if chance.random() < 0.2:
            raise ValueError("as planned")
    process.tell(told.ENDED, trace_id)


def by_hand(chance: random.Random) -> None:
    session = ao.start_session("by hand")
    trace_id = started(session)
    work(chance)
    session.set_attribute("late", 1)
    session.end(chance.choice(["success", "error", "unknown"]))
    process.tell(told.ENDED, trace_id)


def dropped(chance: random.Random) -> None:
    session = ao.start_session("dropped")
    started(session)
    if chance.random() < 0.5:
        work(chance)
    if chance.random() < 0.5:
        cycle: list[object] = [session]
        cycle.append(cycle)


def left_open(chance: random.Random) -> None:
    session = ao.start_session("left open")
    started(session)
    held.append(session)
    if chance.random() < 0.3:
        held.pop(chance.randrange(len(held)))


def collect_garbage(chance: random.Random) -> None:
    gc.collect(chance.randrange(3))


def in_threads(chance: random.Random) -> None:
    def several(seed: float) -> None:
        own = random.Random(seed)
        for _ in range(own.randrange(1, 4)):
            act(own, nested=True)

    threads = [threading.Thread(target=several, args=(chance.random(),)) for _ in range(chance.randrange(1, 4))]
    for thread in threads:
        # Where the interpreter stops a thread at the end, that may be with an answer in hand: a kill like any other,
        # but one that the driver does not know of.
        thread.daemon = chance.random() < 0.5 and not is_simple
        thread.start()
    if chance.random() < 0.5:
        for thread in threads:
            thread.join()


def many(chance: random.Random) -> None:
    """More spans than recovery sends at once."""
    with ao.session("many") as session:
        trace_id = started(session)
        for _ in range(chance.randrange(1500)):
            with tracer.start_as_current_span("one of many") as span:
                pass
            process.tell(told.SPAN_ENDED, f"{span.get_span_context().span_id:016x}")
    process.tell(told.ENDED, trace_id)


def in_tasks(chance: random.Random) -> None:
    async def one(seed: float) -> None:
        own = random.Random(seed)
        async with ao.session("task") as session:
            trace_id = started(session)
            work(own)
            await asyncio.sleep(own.uniform(0, 0.05))
            work(own)
        process.tell(told.ENDED, trace_id)

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(one(chance.random())) for _ in range(chance.randrange(1, 5))]
        await asyncio.sleep(chance.uniform(0, 0.05))
        if chance.random() < 0.3:
            tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_them())


def fork(chance: random.Random) -> None:
    own = random.Random(chance.random())
    if os.fork():
        return
    be_the_child(own, "fork")
    end(own, own.choice(["exit", "os._exit", "wait"]))


def fork_by_multiprocessing(chance: random.Random) -> None:
    own = random.Random(chance.random())
    multiprocessing.get_context("fork").Process(target=be_the_child, args=(own, "multiprocessing")).start()


def be_the_child(chance: random.Random, kind: str) -> None:
    global depth
    depth += 1
    process.begin(kind)
    for _ in range(chance.randrange(6)):
        act(chance, nested=True)


def act(chance: random.Random, *, nested: bool = False) -> None:
    """Does one thing."""
    things = {work: 6, block: 4, by_hand: 3, dropped: 2, left_open: 2, collect_garbage: 1}
    if not nested:
        things |= {in_threads: 2, in_tasks: 2}
    if depth < 2 and threading.current_thread() is threading.main_thread():
        things |= {fork: 1, fork_by_multiprocessing: 1}
    thing = chance.choices(list(things), list(things.values()))[0]
    thing(chance)


def end(chance: random.Random, how: str) -> None:
    """Ends this process in some way."""
    if how == "exit":
        sys.exit(chance.randrange(3))
    if how == "raise":
        raise RuntimeError("as planned")
    if how == "wait":
        time.sleep(60)  # until it is killed
    process.tell(told.DIES)
    if how == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    if how == "exec" and depth < 2:
        os.execv(sys.executable, [sys.executable, __file__, str(chance.random()), str(depth + 1)])
    os._exit(1)


set_up()
process = Process()
if chance.random() < 0.2:
    many(chance)
while time.monotonic() < deadline:
    act(chance)
way = chance.choice(["return", "return", "exit", "raise", "wait", "sigterm", "exec", "os._exit"])
if way != "return":
    end(chance, way)
