"""The record: what must outlive the handle, and what contexts hold in its place."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util import types

from .. import semconv
from .state import Ending, EndReason, EndState

if TYPE_CHECKING:
    import weakref

    from .handle import Session
    from .leak_guard import SpanWatch
    from .limits import Limits
    from .source import Source
    from .totals import Totals

NO_IDS: Mapping[str, str] = MappingProxyType({})

JOINED = 0
"""Owner of a session that lives in another process, of which only the ids came here."""

_LEARNED = frozenset({semconv.GEN_AI_CONVERSATION_ID, semconv.USER_ID})
"""Attributes that, said of the session, are true of its spans."""

_process = os.getpid()
"""The pid, cached: one shared int in every record."""

_making_spans = threading.Lock()


def in_child_after_fork() -> None:
    global _process, _making_spans
    _process = os.getpid()
    _making_spans = threading.Lock()


class Record(trace.Span):
    """One session, from its start to the last of its spans.

    The registry holds it while the session is open. It is also the span that contexts hold for the session: while
    the session is open it answers with the root's span context and forwards to the root; afterwards it answers with
    that of what was current before the session, so that a span started in such a context, whoever kept it, goes where
    it would go without the session. A context must not hold the handle (a leak could never be seen), and one object
    for both is what 100,000 open sessions can afford.
    """

    __slots__ = (
        "error_type",
        "ids",
        "is_open",
        "lasting_context",
        "limits",
        "live_context",
        "outer",
        "owner",
        "session_id",
        "session_name",
        "source",
        "span",
        "spans",
        "totals",
        "watch",
    )

    def __init__(
        self,
        source: Source | None,
        name: str | None,
        session_id: str,
        ids: Mapping[str, str] = NO_IDS,
        outer: trace.Span | None = None,
    ) -> None:
        self.source = source
        self.session_name = name
        self.session_id = session_id
        self.ids = ids
        """The other ids that every span of the session gets."""
        self.outer = outer
        """The span that was current at the start, to go back to at the end."""
        self.span: trace.Span | None = None
        """The root; None until it has started, the invalid span when the session is over."""
        self.live_context = trace.INVALID_SPAN_CONTEXT
        """What contexts see: the root's span context as long as they may adopt children for it."""
        self.lasting_context = trace.INVALID_SPAN_CONTEXT
        """The root's span context, for good."""
        self.is_open = False
        """Open, and this process may end it."""
        self.spans: dict[int, trace.Span | SpanWatch] | None = None
        """The open descendants by span id, in the order of their starts (so the deepest is the last); None
        before the first."""
        self.totals: Totals | None = None
        self.error_type: str | None = None
        """Of the exception that was recorded last, for an end that says no more than that it is an error."""
        self.limits: Limits | None = None
        self.watch: weakref.finalize[[Record], Session] | Session | SpanWatch | None = None
        """The finalizer of the handle. Of a block that has just begun the handle itself: the block holds it anyway,
        and a finalizer is a good part of what a session costs, which a short one need not pay. Of an adopted session
        that of its root."""
        self.owner = _process

    def born(self, span: trace.Span, span_context: trace.SpanContext) -> None:
        """The root has started."""
        self.span = span
        self.lasting_context = self.live_context = span_context

    def first_span(self) -> dict[int, trace.Span | SpanWatch]:
        """Makes `spans`; most of 100,000 open sessions have none."""
        made: dict[int, trace.Span | SpanWatch] = {}
        with _making_spans:  # nothing is allocated in it, so no finalizer can come to wait for it in this thread
            if self.spans is None:
                self.spans = made
            return self.spans

    @property
    def key(self) -> int:
        """What the registry knows it by: a session that was started here is a trace of its own."""
        return self.lasting_context[0]

    @property
    def trace_id(self) -> int:
        return self.lasting_context[0]  # as the tuple that it is: its properties are Python calls

    @property
    def is_owned(self) -> bool:
        """False in a process that was forked from the one that started the session, and in one that joined it."""
        return self.owner == _process

    def leave_to_owner(self) -> None:
        """Makes an inherited record, in a forked child, one of a session that lives elsewhere.

        Its spans belong to the parent: their end in the child is ignored, or they would arrive twice.
        """
        self.is_open = False
        for held in (self.spans or {}).values():
            span = held if isinstance(held, trace.Span) else held()
            if span is not None:
                ignore_end(span)
        if self.span is not None:
            ignore_end(self.span)
            self.span = trace.INVALID_SPAN
        self.spans = None

    @property
    def is_recorded(self) -> bool:
        """Whether somebody wants to know of the session; false where the sampler dropped it."""
        return getattr(self.span, "start_time", None) is not None

    def seconds_until(self, end_time: int) -> float:
        """How long the session lasted until ``end_time`` (nanoseconds since the epoch), while its root is known."""
        return max(0, end_time - (getattr(self.span, "start_time", None) or end_time)) / 1e9

    # -- the span that contexts hold --

    def get_span_context(self) -> trace.SpanContext:
        found = self.live_context
        if found is trace.INVALID_SPAN_CONTEXT and self.span is not None:  # over, and not about to be born
            outer = skip_dead(self)
            return found if outer is None else outer.get_span_context()
        return found

    def is_recording(self) -> bool:
        return self.is_open and self._root.is_recording()

    def end(self, end_time: int | None = None) -> None:
        """Ends the session, as ending its root span would."""
        if self.source is not None:
            self.source.registry.end(self, Ending(EndState.SUCCESS, EndReason.COMPLETED, time=end_time))

    def set_attribute(self, key: str, value: types.AttributeValue) -> None:
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, types.AttributeValue]) -> None:
        self._root.set_attributes(attributes)
        if self.is_open and self.source is not None:
            if _LEARNED & attributes.keys():
                self.source.registry.learn(self, attributes)
            self._written()

    def add_event(self, name: str, attributes: types.Attributes = None, timestamp: int | None = None) -> None:
        self._root.add_event(name, attributes, timestamp)
        self._written()

    def add_link(self, context: trace.SpanContext, attributes: types.Attributes = None) -> None:
        self._root.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self._root.update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self._root.set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: types.Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        self._root.record_exception(exception, attributes, timestamp, escaped)
        self._written()

    def _written(self) -> None:
        """Something was written on the root: who keeps it has to be told, in a moment."""
        if self.is_open and self.source is not None and self.source.registry.keeper is not None:
            self.source.registry.attend_soon(self.key)

    @property
    def _root(self) -> trace.Span:
        # A root that has ended says so on the log when it is written to; after the end there is nothing to forward.
        span = self.span
        return span if span is not None and self.is_open else trace.INVALID_SPAN

    def __getattr__(self, name: str) -> Any:
        # What instrumentations read from an SDK span beyond the API: attributes, start_time, kind, parent, ...
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._root, name)

    def __repr__(self) -> str:
        return f"<session {self.session_name!r} {self.session_id}>"


def skip_dead(span: trace.Span | None) -> trace.Span | None:
    """``span``, or where it is a session that is over, what was current before that; None for no span."""
    if span is None:  # as most often; and to ask for an abstract base class takes a while
        return None
    while isinstance(span, Record) and not span.live_context.is_valid:
        span = span.outer
    return None if span is trace.INVALID_SPAN else span


def ignore_end(span: trace.Span) -> None:
    """Makes ending this one span object do nothing."""
    span.end = _nothing  # type: ignore[method-assign]


def answer_invalid(span: trace.Span) -> None:
    """Makes this one ended span object a parent to nobody: spans started under it are roots of their own."""
    span.get_span_context = _invalid_context  # type: ignore[method-assign]


def silence(span: trace.Span) -> None:
    """Makes writing to this one span object, which is ended for its owner, do nothing.

    The owner may go on for a while, and the SDK would say each time that the span has ended.
    """
    for method in _WRITING_METHODS:
        setattr(span, method, _nothing)


_WRITING_METHODS = (
    "_add_event",  # in which a thread may be already
    "_add_link",
    "add_event",
    "add_link",
    "end",
    "record_exception",
    "set_attribute",
    "set_attributes",
    "set_status",
    "update_name",
)


def _nothing(*arguments: object, **named: object) -> None:
    return None


def _invalid_context() -> trace.SpanContext:
    return trace.INVALID_SPAN_CONTEXT
