"""Ids that count up, the same in every run of a test."""

from __future__ import annotations

import itertools

from opentelemetry.sdk.trace.id_generator import IdGenerator


class CountingIds(IdGenerator):
    """Trace ids, span ids and session ids: 1, 2, 3, and so on, each kind for itself. Thread-safe."""

    def __init__(self) -> None:
        # The step of this iterator is one call into C, which no other thread gets into.
        self._traces, self._spans, self._sessions = (itertools.count(1) for _ in range(3))

    def generate_trace_id(self) -> int:
        return next(self._traces)

    def generate_span_id(self) -> int:
        return next(self._spans)

    def session_id(self) -> str:
        """A session id of the usual form, 32 hex digits."""
        return f"{next(self._sessions):032x}"
