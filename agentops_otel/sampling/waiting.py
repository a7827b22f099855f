"""The ended spans of sessions that are not decided on yet."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections import deque

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from .handing_on import HandingOn

_logger = logging.getLogger("agentops_otel")

REMEMBERED = 4096
"""How many sessions are remembered after their end, the latest ones, for spans that come later."""

BACKLOG = 4096
"""Spans that may pile up on their way to an exporter that does not keep up, beside those that may wait."""


class Waiting:
    """Holds spans by session until it is decided whether to keep the session, then hands them on or forgets them.

    Thread-safe, and without waiting for any lock: a span may be ended by a finalizer, which the garbage collector
    runs in the middle of any line of this very thread. So every step is one atomic operation of a dict, deque or list,
    and between any two of them steps of others may come. Two rules make that right. The first decision is final
    (`dict.setdefault`). And a span is put down before the decision is looked up: either whoever decides finds the
    span, or whoever put it down finds the decision.

    Nor may any of the processor's locks be taken here: what is kept is handed on by a thread of its own.

    When more than ``max_spans`` are here, no more wait for a decision; they are on their way to the processor. Where
    that does not keep up, `BACKLOG` more may pile up, and further ones are lost.
    """

    def __init__(self, processor: SpanProcessor, max_spans: int) -> None:
        self._handing_on = HandingOn(processor)
        self._max_spans = max_spans
        self._room: list[None] = [None] * (max_spans + BACKLOG)
        """One for each span that may come; a list, because taking from it and giving back is atomic."""
        self._roots: dict[int, int] = {}
        """Span ids of the roots, by trace id, of all sessions known here."""
        self._decisions: dict[int, bool] = {}
        """By trace id, whether the session is kept."""
        self._spans: dict[int, deque[ReadableSpan]] = {}
        """By trace id, what waits for a decision."""
        self._over: deque[int] = deque()
        """Trace ids of the sessions whose roots have ended, oldest first."""
        self._making_room = threading.Lock()  # never waited for
        self.kept_early = 0
        self.lost = 0

    # -- sessions --

    def begin(self, trace_id: int, root_id: int) -> None:
        """The root of a session that is not sampled has started."""
        self._handing_on.ensure()
        self._roots[trace_id] = root_id

    def root_of(self, trace_id: int) -> int | None:
        """The span id of a session's root; None for what is no session, or is forgotten."""
        return self._roots.get(trace_id)

    def decide(self, trace_id: int, keep: bool) -> None:
        """Keeps a session from here on, or drops it; the first decision stands."""
        kept = self._decisions.setdefault(trace_id, keep)
        spans = self._spans.pop(trace_id, None)
        if spans is not None:
            self._release(spans, kept)

    def root_ended(self, trace_id: int) -> None:
        """A session that is decided on is over: it may be forgotten when many others have ended after it."""
        self._over.append(trace_id)
        if len(self._over) > REMEMBERED:
            forgotten = self._over.popleft()
            self._roots.pop(forgotten, None)
            self._decisions.pop(forgotten, None)

    # -- spans --

    def add(self, trace_id: int, span: ReadableSpan) -> None:
        """Holds an ended span of a session, or, where the session is decided on, has it follow the decision."""
        if self._decisions.get(trace_id) is False:
            return
        try:
            self._room.pop()
        except IndexError:
            self._lose()
            return
        if len(self._room) < BACKLOG:
            self._make_room(trace_id)
        spans = self._spans.get(trace_id) or self._spans.setdefault(trace_id, deque())
        spans.append(span)
        kept = self._decisions.get(trace_id)
        if kept is not None:
            self._spans.pop(trace_id, None)
            self._release(spans, kept)

    def settle(self, timeout: float) -> bool:
        """Waits until what is kept so far is handed on, at most ``timeout`` seconds; false if it was not."""
        return self._handing_on.settle(timeout)

    def close(self, timeout: float) -> None:
        """Keeps whatever waits, as nobody will come to decide on it, and waits at most so many seconds for that."""
        for trace_id in list(self._spans):
            self.decide(trace_id, True)
        self._handing_on.settle(timeout)
        self._handing_on.stop()

    def _release(self, spans: deque[ReadableSpan], kept: bool) -> None:
        if kept:
            self._handing_on.post(functools.partial(self._let_go, spans, kept))
        else:
            self._let_go(spans, kept)

    def _let_go(self, spans: deque[ReadableSpan], kept: bool) -> None:
        with contextlib.suppress(IndexError):  # it is empty
            while True:
                span = spans.popleft()
                self._room.append(None)
                if kept:
                    self._handing_on.hand_on(span)

    # -- the bound --

    def _make_room(self, trace_id: int) -> None:
        """Keeps the sessions with most spans, and the one that wants more room, without waiting for their ends.

        A tenth of the room becomes free when they are handed on. Only sessions that take some of the room are looked
        at, so for each span the cost of that is constant.
        """
        if not self.kept_early:
            _logger.warning(
                "more than %s spans wait for the ends of their sessions (max_spans); "
                "the sessions with most of them are kept, however they end",
                self._max_spans,
            )
        # Whoever has it is at it, and may be this very thread, interrupted; or what was chosen is still on its way.
        if self._making_room.acquire(blocking=False):
            missing = self._max_spans // 10 + 1
            for largest in sorted(self._spans, key=self._number_of_spans, reverse=True):
                missing -= self._number_of_spans(largest)
                self._keep_early(largest)
                if missing <= 0:
                    break
            self._handing_on.post(self._making_room.release)
        self._keep_early(trace_id)

    def _lose(self) -> None:
        if not self.lost:
            _logger.warning("the exporting span processor does not keep up: spans of sessions that are kept are lost")
        self.lost += 1

    def _number_of_spans(self, trace_id: int) -> int:
        return len(self._spans.get(trace_id, ()))

    def _keep_early(self, trace_id: int) -> None:
        if trace_id not in self._decisions:
            self.kept_early += 1
            self.decide(trace_id, True)
