"""Measures one session SDK, in the environment that peers.py made for it, and prints JSON as the last line.

The raw side is the same for all, and is that of ``spans.session_with_children``. A peer is given the session's name
and id and the attributes of the children; what else it writes is its own affair, and part of what it costs.
"""

from __future__ import annotations

import contextvars
import gc
import importlib  # and not `import`: no environment has all of them, so a type checker cannot know them
import json
import os
import sys
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from unittest import mock

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.interleaved import compare
from benchmarks.pipelines import CONTENT, END_CONTENT, REQUEST, RESPONSE, Discard, nested_children, provider
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

COUNT = 20_000
ID = "x" * 32


class Peer(NamedTuple):
    """``session`` is timed; ``start`` opens one with the given id and returns what has to be held."""

    session: Callable[[], object]
    flush: Callable[[], object]
    start: Callable[[str], object] | None = None


def ours(exporter: Discard) -> Peer:
    ao = importlib.import_module("agentops_otel")
    made = provider(exporter)
    ao.configure(tracer_provider=made, signals=False)
    tracer = made.get_tracer("ours")

    def session() -> None:
        with ao.session("x"):
            nested_children(tracer)

    return Peer(session, made.force_flush, lambda id: ao.start_session("x", id=id))


def langfuse(exporter: Discard) -> Peer:
    sdk = importlib.import_module("langfuse")
    made = TracerProvider(shutdown_on_exit=False)
    client = sdk.Langfuse(
        public_key="pk", secret_key="sk", host="http://127.0.0.1:9", tracer_provider=made, span_exporter=exporter
    )

    def child(depth: int = 5) -> None:
        with client.start_as_current_observation(name="step", metadata=REQUEST) as span:
            if depth > 1:
                child(depth - 1)
            span.update(metadata=RESPONSE)

    def session() -> None:
        with sdk.propagate_attributes(session_id=ID), client.start_as_current_observation(name="session x"):
            child()

    def start(id: str) -> object:
        with sdk.propagate_attributes(session_id=id):
            return client.start_observation(name="session x")

    return Peer(session, made.force_flush, start)


def logfire(exporter: Discard) -> Peer:
    sdk = importlib.import_module("logfire")
    processor = BatchSpanProcessor(exporter)
    # Only where it sends to Logfire does it also export a pending span at each start: this leaves that cost out.
    sdk.configure(send_to_logfire=False, console=False, metrics=False, additional_span_processors=[processor])

    def child(depth: int = 5) -> None:
        with sdk.span("step", **REQUEST) as span:
            if depth > 1:
                child(depth - 1)
            for name, value in RESPONSE.items():
                span.set_attribute(name, value)

    def session() -> None:
        with sdk.span("session x", conversation_id=ID):  # its scrubbing would replace a session_id
            child()

    # A span of Logfire starts when it is entered, there is no other way.
    return Peer(session, processor.force_flush, lambda id: sdk.span("session x", conversation_id=id).__enter__())


def traceloop(exporter: Discard) -> Peer:
    sdk = importlib.import_module("traceloop.sdk")
    decorators = importlib.import_module("traceloop.sdk.decorators")
    # No instrumentations: one of them would record what the children do not do.
    sdk.Traceloop.init("x", disable_batch=False, exporter=exporter, traceloop_sync_enabled=False, instruments=set())

    def step(depth: int = 5) -> None:
        span = trace.get_current_span()  # a task has no parameter for attributes
        span.set_attributes(REQUEST)
        if depth > 1:
            child(depth - 1)
        for name, value in RESPONSE.items():
            span.set_attribute(name, value)

    def session() -> None:
        sdk.Traceloop.set_association_properties({"session_id": ID})
        child()

    child = decorators.task(name="step")(step)
    made = trace.get_tracer_provider()
    assert isinstance(made, TracerProvider)
    return Peer(decorators.workflow(name="session x")(session), made.force_flush)


PEERS = {"agentops-otel-sessions": ours, "langfuse": langfuse, "logfire": logfire, "traceloop-sdk": traceloop}


def measure(distribution: str) -> dict[str, float]:
    exporter = Discard()
    peer = PEERS[distribution](exporter)
    peer.session()
    peer.flush()
    if exporter.count < 6:  # spans that are dropped cost little
        raise SystemExit(f"it exports {exporter.count} spans for a session of 6")

    raw = provider()
    tracer = raw.get_tracer("raw")
    content = {**CONTENT, "session.id": ID}

    def raw_session() -> None:
        with tracer.start_as_current_span("session x", attributes=content) as root:
            nested_children(tracer)
            root.set_attributes(END_CONTENT)

    flush = (raw.force_flush, peer.flush)
    timed = compare(raw_session, peer.session, rounds=60, calls=100, between=lambda: [each() for each in flush])
    result = {"raw": timed.raw, "peer": timed.ours, "ratio": timed.ratio}
    if peer.start:
        result["raw_bytes"] = _bytes_each(lambda id: tracer.start_span("x", attributes={**content, "session.id": id}))
        result["bytes"] = _bytes_each(peer.start)
    return result


def _bytes_each(start: Callable[[str], object]) -> float:
    """As in memory.py, which imports what is only in one of the environments."""
    contextvars.Context().run(start, ID)
    gc.collect()
    tracemalloc.start()
    held = [contextvars.Context().run(start, f"{number:032x}") for number in range(COUNT)]
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(held)


if __name__ == "__main__":
    # Whatever a peer does beside exporting spans, nothing leaves: no name is looked up, and nothing is connected.
    refused = OSError("a benchmark sends nothing")
    mock.patch("socket.getaddrinfo", side_effect=refused).start()
    mock.patch("socket.socket.connect", side_effect=refused).start()
    print("\n" + json.dumps({"version": version(sys.argv[1]), **measure(sys.argv[1])}), flush=True)
    os._exit(0)  # what a peer does at exit would not be measured
