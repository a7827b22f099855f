"""The exporters of this program: what they are given, and what they say became of it.

The processors of the SDK are wrapped to learn which of them takes which span for export, and the exporters that they
have to learn which spans have arrived. By plain functions: these run for every span and for every batch.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from ..sessions.worker import Worker
from ..shield import Shield, absorb
from .connections import part_from_parent
from .feeds import DirectFeed, QueueFeed
from .losses import Loss, Losses
from .sink import Sink
from .verdicts import Verdicts

if TYPE_CHECKING:
    from .writer import Journal

Function = Callable[..., Any]
F = TypeVar("F", QueueFeed, DirectFeed)

_FEED: Final = "_agentops_feed"
_SINK: Final = "_agentops_sink"
"""Where a processor and an exporter have what is known of them, among their own attributes: the fastest look-up, and it
dies with them."""
_TELLING: Final = Shield("telling of an exporter")


class _LeftAlone:
    """The feed of a processor that has no exporter to look at."""

    sink = None


_LEFT_ALONE: Final = _LeftAlone()
_FEEDS: Final[Mapping[type, type[Any]]] = {BatchSpanProcessor: QueueFeed, SimpleSpanProcessor: DirectFeed}
_ONLY_EMITS: Final = ("context", "trace_flags", "sampled", "_batch_processor", "emit")
"""The names in an `on_end` that does no more than to ask, by four properties, whether a span is sampled, and to hand it
to `emit` then. The answer is known here, and to ask again takes as long as all that is done here."""
_DEEPEST: Final = 4
"""Span processors within span processors."""


class Sinks:
    """Every exporter that a span processor of the SDK has, from its first span on, or since it was looked for."""

    def __init__(self, worker: Worker, journal: Journal | None = None, *, is_child: bool = False) -> None:
        self._is_child = is_child
        self.journal = journal
        """The journal of this process; None: none is kept."""
        self.losses = Losses(worker)
        self.verdicts = Verdicts()
        self.on_new: list[Callable[[Sink], object]] = []
        """Called by the worker with each exporter that becomes known."""
        self.wake: Callable[[], object] = lambda: None
        """Something has to be sent again, or can be."""
        self.is_on = False
        self._worker = worker
        self._known: list[weakref.ref[Sink]] = []
        self._keys: dict[str, weakref.ref[Sink]] = {}
        self._processors: list[weakref.ref[Any]] = []
        self._wrapped: dict[tuple[type, str], tuple[Function, Function]] = {}
        """What was there, and what we put there."""
        self._deadline: float | None = None

    def all(self) -> list[Sink]:
        """Those that can be sent to, in the order in which they became known."""
        found = (known() for known in list(self._known))
        return [sink for sink in found if sink is not None and not sink.is_shut]

    def install(self) -> None:
        """Wraps the processors of the SDK, unless they are."""
        if not self.is_on:
            self.is_on = True
            self.verdicts.install()
            for kind in _FEEDS:
                setattr(kind, _FEED, None)  # of those that were not met yet
            self._wrap(BatchSpanProcessor, "on_end", self._around_queueing)
            self._wrap(SimpleSpanProcessor, "on_end", self._around_exporting)
            with suppress(ImportError):  # what is missing then is that the end of the process is in time
                from opentelemetry.sdk._shared_internal import BatchProcessor

                self._wrap(BatchProcessor, "shutdown", self._around_shutdown)

    def uninstall(self) -> None:
        """Gives everything back. What somebody else has wrapped since cannot be: there our wrapper does nothing."""
        self.is_on = False
        self.verdicts.uninstall()
        for kind in _FEEDS:
            if _FEED in vars(kind):
                delattr(kind, _FEED)
        for (owner, name), (original, wrapper) in self._wrapped.items():
            if vars(owner).get(name) is wrapper:
                setattr(owner, name, original)
        self._wrapped.clear()
        for processor in filter(None, (met() for met in self._processors)):
            vars(processor).pop(_FEED, None)
        for sink in filter(None, (known() for known in self._known)):
            sink.unwrap(_SINK)
        self._processors.clear()
        self._known.clear()
        self._keys.clear()

    def hurry(self, deadline: float) -> None:
        """The process ends, and waits for exports no longer than until then, in seconds of `time.monotonic`."""
        self._deadline = deadline

    def in_child_after_fork(self) -> None:
        """The exporters go on in the child; what they were given is the parent's business."""
        self._deadline = None
        self._is_child = True
        self.losses.in_child_after_fork()
        for known in self._known:
            sink = known()
            if sink is not None:
                sink.in_child_after_fork()

    # -- the processors --

    def look_at(self, provider: object) -> None:
        """Makes the exporters of a provider known that no span has come to yet."""
        for processor in _inner(getattr(provider, "_active_span_processor", None), _DEEPEST):
            for kind, feed in _FEEDS.items():
                if self.is_on and isinstance(processor, kind) and getattr(processor, _FEED) is None:
                    self._meet(processor, feed)

    def _wrap(self, owner: type, name: str, around: Callable[[Function], Function]) -> None:
        original = vars(owner)[name]
        wrapper = functools.wraps(original)(around(original))
        self._wrapped[owner, name] = original, wrapper
        setattr(owner, name, wrapper)

    # What reaches the processor itself is seen, not what its subclasses hold back. Both of these run for every span, in
    # finalizers too, so they are written flat and wait for no lock.

    def _around_queueing(self, original: Function) -> Function:
        meet = self._meet
        only_emits = getattr(getattr(original, "__code__", None), "co_names", None) == _ONLY_EMITS

        def on_end(processor: Any, span: ReadableSpan) -> None:
            inside: set[int] | None = None
            try:
                try:
                    context = span._context
                except AttributeError:
                    context = span.context
                if self.is_on and context is not None and context[3] & 1:  # others the processor does not take
                    feed: Any = processor._agentops_feed or meet(processor, QueueFeed)
                    sink = feed.sink
                    if sink is not None:
                        span_id = context[1]
                        journal = self.journal
                        is_kept = journal is not None and journal.accepted(
                            span, span_id, sink.number if sink.journal is journal else sink.number_in(journal)
                        )
                        if not sink.is_shut:
                            inside, queued = feed.inside, feed.queued
                            inside.add(span_id)
                            queued[span_id] = None
                            if len(queued) > feed.most:
                                sink.crowd_out(feed)
                        elif not is_kept:
                            self.losses.add(Loss.NOT_EXPORTED)
            except Exception as error:  # noqa: BLE001
                absorb("seeing a span taken for export", error)
            try:
                if only_emits and inside is not None:
                    processor._batch_processor.emit(span)
                else:
                    original(processor, span)
            finally:
                if inside is not None:
                    inside.discard(span_id)

        return on_end

    def _around_exporting(self, original: Function) -> Function:
        meet = self._meet

        def on_end(processor: Any, span: ReadableSpan) -> None:
            inside: set[int] | None = None
            try:
                try:
                    context = span._context
                except AttributeError:
                    context = span.context
                if self.is_on and context is not None and context[3] & 1:
                    feed: Any = processor._agentops_feed or meet(processor, DirectFeed)
                    sink = feed.sink
                    if sink is not None:
                        span_id = context[1]
                        journal = self.journal
                        if journal is not None:
                            journal.accepted(span, span_id, sink.number_in(journal))
                        inside = feed.inside
                        inside.add(span_id)
            except Exception as error:  # noqa: BLE001
                absorb("seeing a span taken for export", error)
            try:
                original(processor, span)
            finally:
                if inside is not None and span_id in inside:  # it has been shut down
                    inside.discard(span_id)
                    sink.lost((span_id,), Loss.NOT_EXPORTED)

        return on_end

    def _meet(self, processor: Any, kind: Callable[[Sink, Any], F]) -> F | _LeftAlone:
        """A processor is seen for the first time. One whose exporter cannot be wrapped is left alone."""
        exporter = getattr(processor, "span_exporter", None)
        self._processors.append(weakref.ref(processor))
        # Two threads may meet the same ones at once: the first entry in a dict counts.
        try:
            new = Sink(exporter, self)
            sink: Sink = vars(exporter).setdefault(_SINK, new)
        except (AttributeError, TypeError):  # there is no room for attributes in it
            vars(processor)[_FEED] = _LEFT_ALONE
            return _LEFT_ALONE
        if sink is new:
            if self._is_child:  # it may have exported before the fork, and before anybody looked
                part_from_parent(exporter)
            self._name(sink, type(exporter))
            self._known.append(weakref.ref(sink))
            self._worker.post(self._tell, sink)
        sink.wrap()
        feed: F = vars(processor).setdefault(_FEED, kind(sink, processor))
        sink.add(feed)
        return feed

    def _name(self, sink: Sink, exporter: type) -> None:
        """Gives an exporter its key: that of its class, with a number where the program has several of one class."""
        plain = key = f"{exporter.__module__}.{exporter.__qualname__}"
        number = 1
        while True:
            sink.key = key
            reference = weakref.ref(sink)
            holder = self._keys.setdefault(key, reference)()
            if holder is None or holder.is_shut:
                self._keys[key] = reference
                if holder is not None:
                    sink.succeed(holder)
                return
            if holder is sink:
                return
            number += 1
            key = f"{plain}#{number}"

    def _tell(self, sink: Sink) -> None:
        for listener in list(self.on_new):
            with _TELLING:
                listener(sink)

    def _around_shutdown(self, original: Function) -> Function:
        """At the end of the process the SDK waits half a minute for an export that hangs.

        With a journal nothing is lost by leaving at the time that the user has set.
        """

        def shutdown(batch: Any, timeout_millis: float = 30000) -> Any:
            if self.is_on and self._deadline is not None and self.journal is not None:
                timeout_millis = min(timeout_millis, max(0.0, self._deadline - monotonic()) * 1000)
            return original(batch, timeout_millis)

        return shutdown


def _inner(thing: object, depth: int) -> Iterator[SpanProcessor]:
    """A span processor and those that it has: what has several, or filters, keeps them among its attributes."""
    if isinstance(thing, SpanProcessor):
        yield thing
        for value in list(getattr(thing, "__dict__", {}).values()) if depth else ():
            for inner in value if isinstance(value, (list, tuple)) else (value,):
                yield from _inner(inner, depth - 1)
