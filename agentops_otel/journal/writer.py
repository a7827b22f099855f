"""The journal of this process: every span of a session, from its start until it has been delivered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from .. import clock
from ..shield import absorb
from . import records
from .format import FRAME_SIZE, framed
from .pen import Pen, Soon
from .places import Place
from .records import framed_span
from .segment import OFFSET_BITS, Segment
from .shelf import Shelf

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_WORTH: Final = 4
"""A file of which no more than one in so many records counts is worth moving them, so that it can be removed."""


class Journal:
    """Spans on disk. Thread-safe; nothing here raises, and a failure costs one warning and the journal, no session."""

    def __init__(
        self, place: Place, run_id: str, process: int, soon: Soon, dropped: Callable[[int], object] = lambda spans: None
    ) -> None:
        """``soon(seconds, job)`` has a job done by another thread.

        ``dropped(spans)`` is told how many spans that waited for delivery had to go, because there were too many.
        """
        self._dropped = dropped
        self._shelf = Shelf(place, records.Owner(process, run_id))
        self._pen = Pen(self._shelf, self._tend, soon, self._no_room_for)
        self.started = self._pen.started
        """A span of a session has started."""
        self.accepted = self._pen.accepted
        """A span that is sampled and has ended was taken for export; false if it is not in the journal."""
        self.waiting = self._pen.waiting
        """The sinks that a span has still to be delivered to, as bits."""
        self._spans = self._pen.spans
        self._numbers = self._pen.numbers
        self._is_closing = False
        self._ended: deque[int] = deque()
        """Spans that ended since the files were looked after, ..."""
        self._over: deque[int] = deque()
        """... and those that had before."""

    # -- spans --

    def changed(self, span: Any) -> None:
        """Something may have been written on an open span."""
        try:
            span_id = span.context[1]
            if not self._pen.is_on or not self._is_nobodys(span_id):
                return
            known = self._pen.state(span_id)
            if known is None or not span.is_recording():
                return
            now = framed_span(span, self._numbers, known.is_root, seen=known.seen)
            if now[FRAME_SIZE:] != self._pen.payload(span_id):
                now = framed_span(span, self._numbers, known.is_root, seen=clock.time_ns())
                with self._pen.alone(len(now)) as is_alone:
                    # It may have ended, and even have been delivered since.
                    if is_alone and self._is_nobodys(span_id) and span.is_recording():
                        self._pen.write(now, span_id)
        except Exception as error:  # noqa: BLE001
            absorb("writing a change of a span to the journal", error)

    def ended(self, span_id: int) -> None:
        """A span is over. Who takes it for export says so in `accepted`; in a while it is known that nobody did."""
        if self._is_nobodys(span_id):
            self._ended.append(span_id)
            self._pen.tend_soon()

    # -- exports --

    def sink(self, key: str) -> int:
        """The number of an exporter."""
        return self._numbers.sink(key)

    def is_waiting(self, span_id: int, sink: int) -> bool:
        """Whether a span has still to be delivered to a sink."""
        return bool(self.waiting.get(span_id, 0) >> sink & 1)

    def services(self) -> set[str]:
        """The ``service.name`` of all that is, or was, in it."""
        return self._numbers.services

    def waiting_count(self) -> int:
        """Spans that have ended and are not delivered."""
        return len(self.waiting)

    def delivered(self, sink: int, span_ids: Sequence[int]) -> None:
        """Spans have arrived, or never will: they are not sent to this sink again, by anybody."""
        known = []
        settled = []
        try:
            with self._pen.alone():  # with every exporter it may be another thread
                for span_id in span_ids:
                    waiting = self.waiting.get(span_id, 0)
                    if waiting >> sink & 1:
                        known.append(span_id)
                        if waiting == 1 << sink:
                            self.waiting.pop(span_id, None)
                            settled.append(span_id)
                        else:
                            self.waiting[span_id] = waiting & ~(1 << sink)
                if known:
                    self._pen.put(framed(records.encode(records.Delivered(sink, known))), settled)
        except Exception as error:  # noqa: BLE001
            absorb("writing to the journal what was delivered", error)
        if known and self._is_closing:
            self._remove_if_done()

    def read(self, span_ids: Iterable[int]) -> list[ReadableSpan]:
        """Spans that have ended, back from the files; those that are not there any more are left out."""
        tables = self._numbers.tables()
        states = map(self._pen.state, span_ids)
        found = (tables.readable(state) for state in states if state is not None and state.end)
        return [span for span in found if span is not None]

    # -- the end, and the fork --

    def close(self, *, forget_open: bool = False) -> None:
        """Nothing more will come: when nothing is left to be delivered, now or later, the files are removed."""
        self._is_closing = True
        self._close_over([*self._spans] if forget_open else [*self._taken(self._over), *self._taken(self._ended)])
        self._remove_if_done()

    def leave(self) -> None:
        """For a forked child: the files are the parent's."""
        self._pen.leave()

    def _remove_if_done(self) -> None:
        if not self._spans:
            with self._pen.alone() as is_alone:
                if is_alone and self._pen.is_done():
                    self._pen.clear()

    # -- looking after the files, in another thread --

    def _tend(self) -> None:
        self._pen.is_tending = False  # first, so that nothing is added behind our back
        over = self._taken(self._over)
        self._over.extend(self._taken(self._ended))
        self._close_over(over)
        if self._over:
            self._pen.tend_soon()
        self._move_on()
        if self._shelf.is_gone():
            self._start_over()

    def _close_over(self, over: Iterable[int]) -> None:
        """Of spans that ended a while ago, those that nobody took for export need not be kept."""
        for span_id in over:
            if self._is_nobodys(span_id):
                with self._pen.alone() as is_alone:
                    if self._is_nobodys(span_id):
                        # Who takes it from now on, writes it after this.
                        write = self._pen.write if is_alone else self._pen.put
                        write(framed(records.encode(records.Closed(span_id))), settled=[span_id])

    def _is_nobodys(self, span_id: int) -> bool:
        """Whether it waits for no exporter, and is kept nevertheless."""
        return span_id in self._spans and span_id not in self.waiting

    def _taken(self, queue: deque[int]) -> list[int]:
        taken = []
        with suppress(IndexError):  # two threads may be at it
            while queue:
                taken.append(queue.popleft())
        return taken

    def _move_on(self) -> None:
        """Removes the oldest files when nothing in them counts any more, and helps where little does.

        Only ever the oldest: a younger one may say what became of spans in it.
        """
        with self._pen.alone() as is_alone:
            older = list(self._shelf.segments.values())[:-1] if is_alone else []
        for oldest in older:
            if oldest.live and (oldest is older[-1] or oldest.live * _WORTH > oldest.records()):
                return
            for span_id in self._pen.kept_in(oldest) if oldest.live else ():
                self._move(span_id, oldest)
            with self._pen.alone() as is_alone:
                # Another thread may have removed it meanwhile, with all others.
                if oldest.live or not is_alone or self._shelf.segments.get(oldest.number) is not oldest:
                    return
                self._shelf.drop(oldest)

    def _move(self, span_id: int, segment: Segment) -> None:
        state = self._pen.state(span_id)
        frame = framed(records.encode(records.Closed(span_id) if state is None else state))
        with self._pen.alone(2 * len(frame)) as is_alone:  # it says for whom it is, and others after it
            if not is_alone or self._spans.get(span_id, -1) >> OFFSET_BITS != segment.number:
                return
            if state is None:  # nobody can read it, now or later
                self._pen.write(frame, settled=[span_id])
                return
            # Who has got it by now, a later file need not say: it is said for whom it still is.
            waiting = self.waiting.get(span_id, 0)
            sinks = [sink for sink in range(waiting.bit_length()) if waiting >> sink & 1]
            first = sinks.pop(0) if sinks else records.NOBODY
            if state.sink != first:
                frame = framed(records.encode(state._replace(sink=first)))
            self._pen.write(frame, span_id)
            for sink in sinks:
                self._pen.write(framed(records.encode(records.Accepted(span_id, sink))))

    def _start_over(self) -> None:
        """Somebody has removed the files, unless we did."""
        with self._pen.alone() as is_alone:
            if is_alone and self._shelf.is_gone():
                self._shelf.warn("it was removed")
                self.waiting.clear()
                self._pen.clear()

    def _no_room_for(self, span_ids: list[int]) -> None:
        # Who wants to send one of them finds that it is not there.
        self._dropped(sum(self.waiting.pop(span_id, 0) != 0 for span_id in span_ids))
