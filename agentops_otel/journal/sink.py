"""One exporter of this program."""

from __future__ import annotations

import functools
import inspect
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.sdk.trace import ReadableSpan

from ..shield import Shield, absorb
from .connections import part_from_parent
from .feeds import Feed, QueueFeed
from .losses import Loss
from .pace import Pace
from .verdicts import Verdict

if TYPE_CHECKING:
    from .sinks import Sinks
    from .writer import Journal

_SENDING: Final = Shield("sending again what could not be delivered")

Function = Callable[..., Any]


class _Batch(NamedTuple):
    """What a processor hands over."""

    span_ids: list[int]
    taken: list[int]
    """Those of them that it was seen to take."""
    passed: list[int]
    """What is out of the processor with it, in the order in which it took them."""


class Sink:
    """An exporter, what it was given, and what is to be sent to it again. Thread-safe."""

    def __init__(self, exporter: Any, sinks: Sinks) -> None:
        """AttributeError or TypeError for what is no exporter, or one that cannot be wrapped."""
        self.key = ""
        """The same for the same exporter in the next process."""
        self.is_shut = False
        self.pace = Pace()
        self.lock = threading.RLock()
        """Held while something is sent, so that a batch processor does not send at the same time. A finalizer that
        comes here while its own thread holds it goes on, as it would without us."""
        self._sinks = sinks
        self._exporter = weakref.ref(exporter)
        self._export: Function = exporter.export
        self._own = {name: vars(exporter)[name] for name in ("export", "shutdown") if name in vars(exporter)}
        """What the exporter has of these itself, not by its class."""
        self._wrappers = {
            "export": self._around_export(exporter.export),
            "shutdown": self._around_shutdown(exporter.shutdown),
        }
        self._is_wrapped = False
        self._feeds: list[Feed] = []
        self._turn: AbstractContextManager[object] = self.lock
        self._deciding: AbstractContextManager[object] = threading.RLock()
        """Held for a moment, while it is decided what is lost."""
        self.journal: Journal | None = None
        self.number = 0
        """Its number in that journal."""
        self._left: deque[int] = deque()
        """What the journal keeps and no processor will export, in the order in which it was taken for export."""

    # -- what it is --

    def number_in(self, journal: Journal) -> int:
        """The number it has in a journal."""
        if journal is not self.journal:
            self.number, self.journal = journal.sink(self.key), journal
        return self.number

    def add(self, feed: Feed) -> None:
        """One more processor exports to it."""
        if feed not in self._feeds:
            self._feeds.append(feed)
        if feed.is_direct:
            # It exports where spans end, and whoever ends one must not wait for us.
            self._turn = self._deciding = nullcontext()

    def succeed(self, other: Sink) -> None:
        """Takes over what one like it, that is shut, has left."""
        self._left.extend(other._left)

    def wrap(self) -> None:
        """Puts the wrappers in place, unless they are."""
        exporter = self._exporter()
        if exporter is not None and not self._is_wrapped:
            vars(exporter).update(self._wrappers)
            self._is_wrapped = True

    def let_go(self) -> None:
        """What the processors hold they export, and nobody will see what becomes of it: it must not come twice."""
        for feed in self._feeds:
            self.settle(feed.rest(), Verdict.DELIVERED)

    def unwrap(self, mark: str) -> None:
        """Gives the exporter its own back, but not what somebody else has wrapped since."""
        exporter = self._exporter()
        if exporter is not None:
            attributes = vars(exporter)
            attributes.pop(mark, None)
            for name, wrapper in self._wrappers.items():
                if attributes.get(name) is wrapper:
                    del attributes[name]
                    attributes.update({name: self._own[name]} if name in self._own else {})

    def in_child_after_fork(self) -> None:
        """What is on its way is the parent's business, and a thread that is not here may hold the lock."""
        part_from_parent(self._exporter())
        self.lock = threading.RLock()
        if not isinstance(self._turn, nullcontext):
            self._turn, self._deciding = self.lock, threading.RLock()
        self.journal = None
        self._left.clear()
        for feed in self._feeds:
            feed.forget()
        self.pace = Pace()

    # -- what the program exports --

    def crowd_out(self, feed: QueueFeed) -> None:
        """Something hangs, and the oldest spans that a processor took must be lost by now."""
        oldest = feed.crowd_out()
        kept = list(filter(self._is_kept, oldest))
        self._sinks.losses.add(Loss.QUEUE_FULL, len(oldest) - len(kept))
        feed.doubt(kept)  # as long as they are kept, better wait until it is certain
        self._left.extend(kept)

    def lost(self, span_ids: Sequence[int], reason: Loss) -> None:
        """The program will not export these again; what the journal does not keep is lost."""
        if span_ids:
            self._sinks.losses.add(reason, sum(not self._is_kept(span_id) for span_id in span_ids))

    def _is_kept(self, span_id: int) -> bool:
        journal = self._sinks.journal
        return journal is not None and journal.is_waiting(span_id, self.number_in(journal))

    def _around_export(self, original: Function) -> Function:
        @functools.wraps(original)
        def export(spans: Sequence[ReadableSpan], *args: Any, **kwargs: Any) -> Any:
            if not self._sinks.is_on:
                return original(spans, *args, **kwargs)
            batch = self._handed_over(spans)
            with self._turn, self._sinks.verdicts.listening():
                verdict = Verdict.FAILED
                try:
                    result = original(spans, *args, **kwargs)
                    verdict = self._sinks.verdicts.of(result)
                finally:
                    self._judge(batch, verdict)
                return result

        return export

    def _handed_over(self, spans: Sequence[ReadableSpan]) -> _Batch:
        batch = _Batch([], [], [])
        try:
            batch.span_ids.extend(span.context[1] for span in spans if span.context is not None)
            with self._deciding:
                for feed in self._feeds:
                    taken = feed.took(batch.span_ids)
                    batch.taken.extend(taken.of_batch)
                    batch.passed.extend(taken.passed)
                    self._are_lost(feed, taken.lost)
        except Exception as error:  # noqa: BLE001
            absorb("seeing spans exported", error)
        return batch

    def _judge(self, batch: _Batch, verdict: Verdict) -> None:
        try:
            if verdict is Verdict.TOO_MUCH and len(batch.span_ids) == 1:
                verdict = Verdict.REFUSED
            if verdict is Verdict.DELIVERED:
                self.pace.delivered()
                self._settle(batch.span_ids)
            elif verdict is Verdict.REFUSED:
                self._sinks.losses.add(Loss.REFUSED, len(batch.taken))
                self._settle(batch.span_ids)
            elif verdict is Verdict.TOO_MUCH:
                self.lost(batch.taken, Loss.REFUSED)
            else:
                self.pace.failed()
                self.lost(batch.taken, Loss.NOT_EXPORTED)
            self._left.extend(filter(self._is_kept, batch.passed))
            for feed in self._feeds:
                feed.decided(batch.span_ids)
            if self._left:
                self._sinks.wake()
        except Exception as error:  # noqa: BLE001
            absorb("seeing what became of an export", error)

    def _around_shutdown(self, original: Function) -> Function:
        @functools.wraps(original)
        def shutdown(*args: Any, **kwargs: Any) -> Any:
            self.is_shut = True
            try:
                return original(*args, **kwargs)
            finally:
                if self._sinks.is_on:
                    self._give_up()

        with suppress(TypeError, ValueError):
            # The SDK asks whether it takes a time limit, and looks at nothing else for that.
            shutdown.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
        return shutdown

    def _give_up(self) -> None:
        """It takes nothing any more: what was still to come will not come."""
        try:
            for feed in self._feeds:
                rest = feed.rest()
                self.lost(rest, Loss.NOT_EXPORTED)
                self._left.extend(filter(self._is_kept, rest))
        except Exception as error:  # noqa: BLE001
            absorb("seeing an exporter shut down", error)
        self._sinks.losses.say_totals()

    # -- what is sent again --

    def has_left(self) -> bool:
        """Whether something may have to be sent again."""
        return bool(self._left)

    def take(self, most: int) -> list[int]:
        """Takes the oldest spans that are to be sent again; none if a processor may still have the very first.

        With the lock held.
        """
        taken: list[int] = []
        with self._deciding, suppress(IndexError):
            while len(taken) < most and not self.is_blocked():
                span_id = self._left.popleft()
                if self._is_kept(span_id):
                    taken.append(span_id)
        return taken

    def is_blocked(self) -> bool:
        """Whether a processor may still have the oldest span that is to be sent again."""
        try:
            oldest = self._left[0]
        except IndexError:
            return False
        return any(feed.doubts(oldest) for feed in self._feeds)

    def give_back(self, span_ids: Iterable[int]) -> None:
        """Of what was taken, what is not settled is still to be sent."""
        self._left.extendleft(reversed(list(filter(self._is_kept, span_ids))))

    def ask(self) -> None:
        """Finds out what the processors have lost. Not with the lock held: they export what they have."""
        for feed in self._feeds:
            asked = feed.ask()
            with self._deciding:
                self._are_lost(feed, [span_id for span_id in asked if feed.doubts(span_id)])

    def _are_lost(self, feed: Feed, span_ids: Sequence[int]) -> None:
        self.lost(span_ids, Loss.QUEUE_FULL)
        feed.decided(span_ids)  # only now: then they may be sent again

    def send(self, spans: Sequence[ReadableSpan]) -> Verdict:
        """Has the exporter export spans, as a batch processor would, and keeps its complaints out of the log."""
        verdict = Verdict.FAILED
        with self.lock:
            if not self.is_shut:
                token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
                try:
                    with self._sinks.verdicts.listening(quietly=True), _SENDING, suppress(OSError):
                        verdict = self._sinks.verdicts.of(self._export(spans))
                finally:
                    detach(token)
        return verdict

    def send_in_parts(self, spans: Sequence[ReadableSpan]) -> Iterator[tuple[Sequence[ReadableSpan], Verdict]]:
        """Sends spans, and what is too much for one batch in halves; one that is too much alone is refused.

        Yields what has been sent together and what became of it, and stops after a failure.
        """
        waiting = [spans] if spans else []
        while waiting:
            part = waiting.pop()
            verdict = self.send(part)
            if verdict is Verdict.TOO_MUCH and len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
            else:
                verdict = Verdict.REFUSED if verdict is Verdict.TOO_MUCH else verdict
                yield part, verdict
                if verdict is Verdict.FAILED:
                    return

    def settle(self, span_ids: Sequence[int], verdict: Verdict) -> None:
        """Spans have arrived, or never will: then they are not sent again."""
        if verdict is Verdict.REFUSED:
            self._sinks.losses.add(Loss.REFUSED, len(span_ids))
        if verdict in (Verdict.DELIVERED, Verdict.REFUSED):
            self._settle(span_ids)

    def _settle(self, span_ids: Sequence[int]) -> None:
        journal = self._sinks.journal
        if journal is not None and span_ids:
            journal.delivered(self.number_in(journal), span_ids)
