"""Traces of which sessions are only a part: a request may run several agents, and each of these is a session."""

from __future__ import annotations

from collections.abc import Mapping

from .record import Record

_NONE: Mapping[int, Record] = {}


class SharedTraces:
    """Which span of such a trace is in which session.

    By their ids, for spans that are over too: what starts below them is in the same session. Takes no lock, every
    change is one atomic operation of a dict.
    """

    def __init__(self) -> None:
        self._members: dict[int, dict[int, Record]] = {}
        """By trace id, then by span id."""

    def find(self, trace_id: int, span_id: int) -> Record | None:
        """The session that a span is in."""
        return self._members.get(trace_id, _NONE).get(span_id) if self._members else None

    def add(self, trace_id: int, span_id: int, record: Record) -> None:
        """A span has started in a session."""
        self._members.setdefault(trace_id, {})[span_id] = record

    def forget(self, record: Record) -> None:
        """Nothing is left of a session."""
        members = self._members.get(record.trace_id)
        if members is None:
            return
        for span_id, of in members.copy().items():
            if of is record:
                members.pop(span_id, None)
        if not members and self._members.pop(record.trace_id, members):  # another session came meanwhile
            self._members.setdefault(record.trace_id, members).update(members)
