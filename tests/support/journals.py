"""Journals of processes that are dead, written record by record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentops_otel.journal import format, records
from agentops_otel.journal.places import Place
from agentops_otel.journal.records import Ended, Owner, Record, Resource, Scope, Sink, SpanState

KEY = "some.module.Exporter"
OTHER = "other.module.Exporter"

START = 1_700_000_000_000_000_000
"""When the first span starts, in nanoseconds since the epoch."""

SECOND = 10**9

HEAD = (Owner(4711, ""), Resource(0, {"service.name": "dead"}, ""), Scope(0, "tests", "1", None, None))
"""What every file begins with."""


def span(
    span_id: int,
    *,
    parent: int = 0,
    trace: int = 1,
    start: float | None = None,
    end: float = 0,
    seen: float | None = None,
    attributes: dict[str, Any] | None = None,
    **more: Any,
) -> SpanState:
    """A span; one without a parent is the root of a session. Times are seconds after `START`."""
    began = span_id if start is None else start
    state = SpanState(
        span_id=span_id,
        trace_id=trace.to_bytes(16, "big"),
        parent_id=parent,
        parent_is_remote=False,
        is_root=not parent,
        trace_state="",
        flags=1,
        kind=0,
        name=f"session {trace}" if not parent else f"span {span_id}",
        start=_time(began),
        end=_time(end) if end else 0,
        seen=_time(end or began if seen is None else seen),
        status=0,
        description=None,
        resource=0,
        scope=0,
        attributes={"session.id": f"id {trace}"} | (attributes or {}),
        events=[],
        links=[],
    )
    return state._replace(**more)


def end_of(state: SpanState, sink: int = 0) -> Ended:
    """The end of a span as it stands apart."""
    return Ended(
        state.span_id,
        0,
        sink,
        state.name,
        state.end,
        state.status,
        state.description,
        state.attributes,
        state.events,
        state.links,
    )


def content(*entries: Record) -> bytes:
    """A file with these records."""
    return format.header() + b"".join(format.framed(records.encode(entry)) for entry in entries)


def write(
    directory: Path, *files: Sequence[Record], sinks: Sequence[str] = (KEY,), owner: Owner = HEAD[0], room: int = 0
) -> str:
    """Writes the files of a dead process, each with its head; returns the process's name.

    ``sinks``: its exporters, by their numbers. ``room``: bytes at the end of each file that are not written.
    """
    dead = Place(directory).new_owner()
    numbered = [Sink(number, key) for number, key in enumerate(sinks)]
    for number, entries in enumerate(files):
        dead.segment(number).write_bytes(content(owner, *HEAD[1:], *numbered, *entries) + bytes(room))
    dead.release()
    return dead.name


def _time(seconds: float) -> int:
    return START + round(seconds * SECOND)
