"""Calls of models, told from the spans that report them: often there are several spans for one call.

A client that emits spans itself is instrumented once more, and a framework above it reports the call too. Of such
spans, one below the other, the innermost says what was called; the others only say what it leaves unsaid, such as the
tokens of a stream. Several calls below one span are retries, and each counts. A tool, agent or workflow is no report
of the calls below it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import trace

from .leak_guard import SpanWatch
from .sdk_spans import attributes_of
from .usage import WORK_OF_ITS_OWN, Usage, operation_of, usage_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

OpenSpans = dict[int, trace.Span | SpanWatch]
"""The open spans of a session by span id, in the order of their starts."""

MOST_ENDED: Final = 64
"""Spans that are remembered because they ended before something below them."""

MOST_OPEN: Final = 4096
"""Open spans of which it is remembered that there are calls below them."""

DEEPEST: Final = 64
"""Spans above a call that are looked at."""

_NOTHING: Set[str] = frozenset()


class Call:
    """One call of a model. Who takes in the changes writes it, nobody else."""

    __slots__ = ("counted", "counted_for", "kind", "model", "provider", "time", "tokens")

    def __init__(self, kind: str, time: int) -> None:
        self.kind = kind
        """The total it counts in."""
        self.time = time
        """When it started, in nanoseconds since the epoch."""
        self.tokens: dict[str, int] = {}
        self.model: str | None = None
        self.provider: str | None = None
        self.counted: dict[str, int] = {}
        """What of it is in the sums, ..."""
        self.counted_for: str | None = None
        """... and in those of which model."""


class Change(NamedTuple):
    """Something that became known of a call."""

    call: Call
    said: Usage
    is_outer: bool = False
    """Said by a span above those that have said something already."""
    unsaid: Set[str] = _NOTHING
    """Tokens that the call does not have after all, because a span further in says them, of another call."""

    def apply(self) -> None:
        """Writes it on the call."""
        call, (tokens, model, provider) = self.call, self.said
        for name in self.unsaid:
            call.tokens.pop(name, None)
        call.tokens.update(tokens)
        if self.is_outer:
            model, provider = call.model or model, call.provider or provider
        call.model, call.provider = model or call.model, provider or call.provider


class LoneReport(NamedTuple):
    """A call with one report, of which nothing more can become known: most calls. Read when it is counted."""

    kind: str
    time: int
    attributes: Mapping[str, Any]


class _Report:
    """A span that reports a call and ended before something below it."""

    __slots__ = ("call", "gave", "is_innermost", "kind")

    def __init__(self, kind: str, call: Call, gave: set[str], is_innermost: bool) -> None:
        self.kind = kind
        self.call = call
        self.gave = gave
        """The tokens that the call has from it."""
        self.is_innermost = is_innermost


class _Ended(NamedTuple):
    """A span that ended before something below it."""

    parent: trace.SpanContext | None
    """None too where nothing above it reports what is below it."""
    report: _Report | None


class Calls:
    """Finds the calls in the spans of a session as they end, in whatever order, and tells ``found`` of them.

    Takes no lock: every change to what it keeps is one atomic operation on a dict, and reports of one call that end
    in two threads in the same microsecond can at worst count as two.
    """

    __slots__ = ("_below", "_ended", "_found")

    def __init__(self, found: Callable[[Change | LoneReport], object]) -> None:
        self._found = found
        self._below: dict[int, dict[str, tuple[Set[str], Call]]] = {}
        """By the id of an open span, and by kind: the tokens that reports below it say, and the last call there."""
        self._ended: OrderedDict[int, _Ended] = OrderedDict()

    def span_ended(
        self,
        span: ReadableSpan,
        operation: str | None,
        kind: str | None,
        attributes: Mapping[str, Any],
        opened: OpenSpans,
    ) -> None:
        """Takes in a span that has ended, a report of a call if it has a ``kind``."""
        if not self._below and not self._ended and _is_alone(span, opened):
            if kind is not None:
                self._found(LoneReport(kind, span.start_time or 0, attributes))
            return
        span_id = span.context.span_id if span.context is not None else 0
        below = self._below.pop(span_id, {}) if self._below else {}
        report = None if kind is None else self._reported(span, kind, attributes, opened, below.get(kind))
        if _is_outlived(span, opened):
            self._ended[span_id] = _Ended(None if operation in WORK_OF_ITS_OWN else span.parent, report)
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)

    def _reported(
        self,
        span: ReadableSpan,
        kind: str,
        attributes: Mapping[str, Any],
        opened: OpenSpans,
        below: tuple[Set[str], Call] | None,
    ) -> _Report:
        said = usage_of(attributes)
        names = frozenset(said.tokens)
        above_open, above_ended = self._above(span, kind, opened)
        call = None if below is None else below[1]
        for outer in above_ended:
            unsaid = outer.gave & names
            if unsaid:
                outer.gave -= unsaid
                self._found(Change(outer.call, Usage({}, None, None), unsaid=unsaid))
            if outer.is_innermost:
                # Until now it was what says most of its call.
                outer.is_innermost = False
                call = call or outer.call
        if call is None:
            call = Call(kind, span.start_time or 0)
        gives = said
        if below is not None:
            gives = said._replace(tokens={name: said.tokens[name] for name in names - below[0]})
        self._found(Change(call, gives, is_outer=below is not None))
        for span_id in above_open:
            if span_id in self._below or len(self._below) < MOST_OPEN:
                known = self._below.setdefault(span_id, {})
                known[kind] = (names | known[kind][0] if kind in known else names, call)
        return _Report(kind, call, set(gives.tokens), below is None)

    def _above(self, span: ReadableSpan, kind: str, opened: OpenSpans) -> tuple[list[int], list[_Report]]:
        """What may report the same call as a span: open spans above it, and reports that ended early."""
        above_open: list[int] = []
        above_ended: list[_Report] = []
        parent = span.parent
        for _ in range(DEEPEST):
            if parent is None:
                break
            held = opened.get(parent.span_id)
            if held is not None:
                above: Any = held.revive() if isinstance(held, SpanWatch) else held
                if operation_of(attributes_of(above)) in WORK_OF_ITS_OWN:
                    break
                above_open.append(parent.span_id)
                parent = above.parent
            else:
                ended = self._ended.get(parent.span_id)
                if ended is None:
                    break
                if ended.report is not None and ended.report.kind == kind:
                    above_ended.append(ended.report)
                parent = ended.parent
        return above_open, above_ended


def _is_alone(span: ReadableSpan, opened: OpenSpans) -> bool:
    """Whether nothing that is open can be about the same call as a span: the usual case, told at little cost."""
    if not opened:
        return True
    try:
        last = next(reversed(opened))
    except (RuntimeError, StopIteration):  # a span starts or ends in another thread right now
        return False
    if span.parent is None or span.parent.span_id != last:
        return False
    held = opened.get(last)
    parent: Any = held.revive() if isinstance(held, SpanWatch) else held
    return operation_of(attributes_of(parent)) in WORK_OF_ITS_OWN


def _is_outlived(span: ReadableSpan, opened: OpenSpans) -> bool:
    """Whether something that started after a span is still open, so that it may be below it."""
    try:
        held = next(reversed(opened.values()), None)
    except RuntimeError:  # a span starts or ends in another thread right now
        return True
    if held is None:
        return False
    last: Any = held.revive() if isinstance(held, SpanWatch) else held
    return bool((last.start_time or 0) >= (span.start_time or 0))
