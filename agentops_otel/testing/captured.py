"""What a test captured, as values: a finished session with its spans as a tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from .. import semconv
from ..sessions.state import EndReason, EndState
from . import tree

_PREFIX = "agentops.session."
"""Of the totals."""


@dataclass(frozen=True)
class CapturedEvent:
    """An event of a span, or a log event."""

    name: str
    attributes: Mapping[str, Any]
    time: int
    """Nanoseconds since the epoch."""


@dataclass(frozen=True)
class CapturedScore:
    """A score of a session, as `Session.record_score` takes it."""

    name: str
    value: float | None = None
    label: str | None = None
    explanation: str | None = None


@dataclass(frozen=True)
class CapturedSpan:
    """A span that has ended, with the spans below it. ``str()`` of it is a tree to read."""

    name: str
    attributes: Mapping[str, Any]
    status: str
    """``UNSET``, ``OK`` or ``ERROR``."""
    error: str | None
    """Where the status is ``ERROR``: its description, or else ``error.type``."""
    start_time: int
    """Nanoseconds since the epoch."""
    end_time: int
    """Nanoseconds since the epoch."""
    events: tuple[CapturedEvent, ...]
    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    children: tuple[CapturedSpan, ...] = ()
    """In the order of their starts."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return (self.end_time - self.start_time) / 1e9

    def walk(self) -> Iterator[CapturedSpan]:
        """The span and all below it, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __str__(self) -> str:
        return "\n".join(tree.lines_of(self))


@dataclass(frozen=True)
class CapturedSession:
    """A session that has ended. ``str()`` of it is a tree to read."""

    root: CapturedSpan
    logs: tuple[CapturedEvent, ...] = field(repr=False)
    """Its log events, such as ``session.start`` and ``session.end``."""

    @property
    def id(self) -> str:
        return str(self.attributes.get(semconv.SESSION_ID, ""))

    @property
    def name(self) -> str | None:
        """The name it was started with."""
        first, _, rest = self.root.name.partition(" ")
        return (rest or None) if first == semconv.SESSION_OPERATION else self.root.name

    @property
    def conversation_id(self) -> str | None:
        return self.attributes.get(semconv.GEN_AI_CONVERSATION_ID)

    @property
    def user_id(self) -> str | None:
        return self.attributes.get(semconv.USER_ID)

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self.attributes.get(semconv.TAGS, ()))

    @property
    def state(self) -> EndState | None:
        """None where somebody else ended the root span, which then says nothing of it."""
        said = self.attributes.get(semconv.END_STATE)
        return None if said is None else EndState(said)

    @property
    def reason(self) -> EndReason | None:
        """None where somebody else ended the root span, which then says nothing of it."""
        said = self.attributes.get(semconv.END_REASON)
        return None if said is None else EndReason(said)

    @property
    def error(self) -> str | None:
        """What went wrong, such as "ValueError: no such model"; None where the status is not ``ERROR``."""
        return self.root.error

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Those of the root span."""
        return self.root.attributes

    @property
    def totals(self) -> Mapping[str, Any]:
        """What it consumed, without the ``agentops.session.`` of the attributes' names: ``inference.calls`` ..."""
        others = (semconv.END_STATE, semconv.END_REASON, semconv.EXIT_SIGNAL)
        return {
            name.removeprefix(_PREFIX): value
            for name, value in self.attributes.items()
            if name.startswith(_PREFIX) and name not in others
        }

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.root.duration

    @property
    def spans(self) -> tuple[CapturedSpan, ...]:
        """The spans right below the root, in the order of their starts."""
        return self.root.children

    @property
    def scores(self) -> tuple[CapturedScore, ...]:
        """What was thought of it, whether it was written as a log event or on a span."""
        events = [*self.logs, *(event for span in self.root.walk() for event in span.events)]
        return tuple(_score(event.attributes) for event in events if event.name == semconv.EVENT_EVALUATION_RESULT)

    def walk(self) -> Iterator[CapturedSpan]:
        """The root and all spans below it, each before its children."""
        return self.root.walk()

    def span(self, name: str) -> CapturedSpan:
        """The one span of this name below the root; an AssertionError with the tree if there is none, or more."""
        found = [span for span in self.walk() if span.name == name and span is not self.root]
        assert len(found) == 1, f"{len(found)} spans are named {name!r} in\n{self}"
        return found[0]

    def __str__(self) -> str:
        return "\n".join(tree.lines_of_session(self))


def sessions_in(spans: Iterable[ReadableSpan], logs: Iterable[ReadableLogRecord]) -> list[CapturedSession]:
    """The sessions whose root span is among these, in the order of their starts.

    A span of a session whose parent is not among them, such as one that is still open, hangs on the root.
    """
    # Where the clock stands still the ids tell which was first.
    ended = sorted(spans, key=lambda span: (span.start_time or 0, _ids(span)))
    known = {_ids(span) for span in ended}
    below: dict[tuple[int, int], list[ReadableSpan]] = defaultdict(list)
    adrift: dict[tuple[int, object], list[ReadableSpan]] = defaultdict(list)
    for span in ended:
        parent = None if span.parent is None else (span.parent.trace_id, span.parent.span_id)
        if parent in known:
            below[parent].append(span)
        elif not _is_root(span):
            adrift[_session(span)].append(span)

    def tree_of(span: ReadableSpan, more: Iterable[ReadableSpan] = ()) -> CapturedSpan:
        return _captured(span, tuple(map(tree_of, (*below[_ids(span)], *more))))

    return [
        CapturedSession(
            tree_of(root, adrift[_session(root)]),
            tuple(_log_event(log.log_record) for log in logs if _is_of(log, root)),
        )
        for root in ended
        if _is_root(root)
    ]


def _ids(span: ReadableSpan) -> tuple[int, int]:
    return (0, 0) if span.context is None else (span.context.trace_id, span.context.span_id)


def _session(span: ReadableSpan) -> tuple[int, object]:
    """What all spans of a session have in common."""
    return _ids(span)[0], (span.attributes or {}).get(semconv.SESSION_ID)


def _is_root(span: ReadableSpan) -> bool:
    attributes = span.attributes or {}
    is_session = attributes.get(semconv.GEN_AI_OPERATION_NAME) == semconv.SESSION_OPERATION
    return is_session or semconv.END_STATE in attributes


def _is_of(log: ReadableLogRecord, root: ReadableSpan) -> bool:
    trace_id, session_id = _session(root)
    record = log.log_record
    return record.trace_id == trace_id and (record.attributes or {}).get(semconv.SESSION_ID) in (None, session_id)


def _captured(span: ReadableSpan, children: tuple[CapturedSpan, ...]) -> CapturedSpan:
    attributes = dict(span.attributes or {})
    is_error = span.status.status_code is StatusCode.ERROR
    trace_id, span_id = _ids(span)
    return CapturedSpan(
        name=span.name,
        attributes=attributes,
        status=span.status.status_code.name,
        error=(span.status.description or str(attributes.get(semconv.ERROR_TYPE, ""))) if is_error else None,
        start_time=span.start_time or 0,
        end_time=span.end_time or 0,
        events=tuple(CapturedEvent(event.name, dict(event.attributes or {}), event.timestamp) for event in span.events),
        trace_id=format_trace_id(trace_id),
        span_id=format_span_id(span_id),
        children=children,
    )


def _log_event(record: LogRecord) -> CapturedEvent:
    time = record.timestamp or record.observed_timestamp or 0
    return CapturedEvent(record.event_name or "", dict(record.attributes or {}), time)


def _score(said: Mapping[str, Any]) -> CapturedScore:
    return CapturedScore(
        said[semconv.GEN_AI_EVALUATION_NAME],
        said.get(semconv.GEN_AI_EVALUATION_SCORE_VALUE),
        said.get(semconv.GEN_AI_EVALUATION_SCORE_LABEL),
        said.get(semconv.GEN_AI_EVALUATION_EXPLANATION),
    )
