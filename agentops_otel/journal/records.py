"""What the records of a journal say, in msgpack.

A span is written whole, as it is at that moment: when it starts and when it has changed. Of its end only that is
written which can have changed since; the rest stands before it in the same file. So the last record of a span is the
one that counts, and no file depends on another. Resources and scopes are many spans' and stand once in each file,
before the spans that name them by number.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from opentelemetry.trace import DEFAULT_TRACE_STATE

from ..sessions.sdk_spans import laid_out
from ..shield import encodable, text_of
from .format import FRAME, framed

OWNER: Final = 0
RESOURCE: Final = 1
SCOPE: Final = 2
SINK: Final = 3
SPAN: Final = 4
CLOSED: Final = 5
ACCEPTED: Final = 6
DELIVERED: Final = 7
ENDED: Final = 8

NOBODY: Final = -1
"""The number of no exporter."""

Attributes = dict[str, Any]
"""Read from a file, so whatever can be in one."""


class Owner(NamedTuple):
    """The process that wrote a file."""

    pid: int
    run_id: str
    """Of the `agentops-otel run` that started it, or empty."""


class Resource(NamedTuple):
    number: int
    attributes: Attributes
    schema_url: str


class Scope(NamedTuple):
    number: int
    name: str
    version: str | None
    schema_url: str | None
    attributes: Attributes | None


class Sink(NamedTuple):
    """An exporter of the process that wrote the file."""

    number: int
    key: str
    """What is the same of it in the next process."""


class Event(NamedTuple):
    name: str
    time: int
    attributes: Attributes


class Link(NamedTuple):
    trace_id: bytes
    span_id: int
    trace_state: str
    flags: int
    """Those of the trace; and, as in OTLP, 0x200 where it leads to another process."""
    attributes: Attributes


class SpanState(NamedTuple):
    """A span as it was when this was written. Times are nanoseconds since the epoch."""

    span_id: int
    trace_id: bytes
    parent_id: int
    """0 for none."""
    parent_is_remote: bool
    is_root: bool
    """Of a session."""
    flags: int
    kind: int
    name: str
    start: int
    resource: int
    scope: int
    attributes: Attributes

    # What nearly every span has when it starts need not be written: a record may end here.
    trace_state: str = ""
    links: Sequence[Link] = ()
    end: int = 0
    """0 while it is open."""
    seen: int = 0
    """When this was written; 0 where its start or its end says so."""
    status: int = 0
    description: str | None = None
    events: Sequence[Event] = ()
    sink: int = NOBODY
    """The first exporter that took it for export, when it had ended; others say so in an `Accepted`."""


_AT_START: Final = tuple(SpanState._field_defaults.values())


class Ended(NamedTuple):
    """The end of a span that stands, open, in the same file: what can have changed since it was written there."""

    span_id: int
    whole: int
    """The offset of that record."""
    sink: int
    """The first exporter that took it for export."""
    name: str
    end: int
    status: int
    description: str | None
    attributes: Attributes
    events: Sequence[Event]
    links: Sequence[Link]

    def of(self, span: SpanState) -> SpanState:
        """The span as it ended."""
        _, _, sink, name, end, status, description, attributes, events, links = self
        return span._replace(
            sink=sink,
            name=name,
            end=end,
            status=status,
            description=description,
            attributes=attributes,
            events=events,
            links=links,
        )


class Closed(NamedTuple):
    """A span is over, and nobody took it for export."""

    span_id: int


class Accepted(NamedTuple):
    """A span that has ended was taken for export by one more."""

    span_id: int
    sink: int


class Delivered(NamedTuple):
    """An exporter said that these arrived, or that they never will."""

    sink: int
    span_ids: Sequence[int]


Record = Owner | Resource | Scope | Sink | SpanState | Ended | Closed | Accepted | Delivered

_KINDS: Final[dict[int, type[Any]]] = {
    OWNER: Owner,
    RESOURCE: Resource,
    SCOPE: Scope,
    SINK: Sink,
    SPAN: SpanState,
    CLOSED: Closed,
    ACCEPTED: Accepted,
    DELIVERED: Delivered,
    ENDED: Ended,
}
_NUMBERS: Final = {kind: number for number, kind in _KINDS.items()}


def _plain_value(value: Any) -> Any:
    """What msgpack has for a value of another type: a subclass of int or float is still a number."""
    if isinstance(value, int):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, float) else text_of(value)


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_plain_value).encode
_decoders: Final = {number: msgspec.msgpack.Decoder(kind) for number, kind in _KINDS.items()}


def encode(record: Record) -> bytes:
    """A record as bytes."""
    return bytes((_NUMBERS[type(record)],)) + _packed(tuple(record))


class NumbersOf(Protocol):
    """What resources and scopes are named by."""

    def resource(self, resource: Any) -> int: ...

    def scope(self, scope: Any) -> int: ...


# `start_body` and `end_body` run for every span, so they are flat: what a span has is read where the SDK keeps it. They
# answer None for what has to be written the long way: a span that has links or a trace state from its start, one of
# another make, one to which an event is added in another thread right now, and text or numbers that cannot be encoded
# (to look for these beforehand costs).


def start_body(span: Any, context: tuple[Any, ...], numbers: Mapping[int, int], is_root: bool) -> bytes | None:
    """A span that has just started, as a `SPAN` record has it.

    ``numbers``: those of resources and scopes, by their addresses.
    """
    try:
        state = context[4]
        # To ask a state whether it is empty is a Python call, and nearly every span has this one.
        if span._links._dq or (state is not DEFAULT_TRACE_STATE and state):
            return None
        parent = span._parent
        return _encode(
            (
                context[1],
                context[0].to_bytes(16, "big"),
                parent[1] if parent else 0,
                parent[2] if parent else False,
                is_root,
                +context[3],  # an int, and not the subclass of it
                span._kind._value_,  # not by the property, which is a Python call
                span._name,
                span._start_time or 0,
                numbers[id(span._resource)],
                numbers[id(span._instrumentation_scope)],
                span._attributes._dict,
            )
        )
    except (AttributeError, KeyError, *_NOT_ENCODABLE):
        return None


def end_body(span: Any, whole: int, sink: int) -> bytes | None:
    """The end of a span, as an `ENDED` record has it."""
    try:
        status, events, links = span._status, span._events._dq, span._links._dq
        return _encode(
            (
                span._context[1],
                whole,
                sink,
                span._name,
                span._end_time or 0,
                status._status_code._value_,
                status._description,
                span._attributes._dict,
                [_event(event) for event in events] if events else (),
                [_link(link) for link in links] if links else (),
            )
        )
    except (AttributeError, *_NOT_ENCODABLE):
        return None


def framed_span(span: Any, numbers: NumbersOf, is_root: bool, sink: int = NOBODY, seen: int = 0) -> bytes:
    """A span as it stands in a file: whole, as it is now, and open unless a sink has taken it."""
    try:
        context, parent, status = span._context, span._parent, span._status
        state, events, links = context[4], span._events._dq, span._links._dq
        values = (
            context[1],
            context[0].to_bytes(16, "big"),
            parent[1] if parent else 0,
            parent[2] if parent else False,
            is_root,
            int(context[3]),
            span._kind.value,
            span._name,
            span._start_time or 0,
            numbers.resource(span._resource),
            numbers.scope(span._instrumentation_scope),
            span._attributes._dict,
        )
        rest = (
            state.to_header() if state else "",
            tuple(_link(link) for link in links),
            0 if sink < 0 else span._end_time or 0,
            seen,
            status._status_code.value,
            status._description,
            tuple(_event(event) for event in events),
            sink,
        )
    except (AttributeError, RuntimeError):  # of another make; or an event is added in another thread right now
        if isinstance(span, SimpleNamespace):
            raise
        return framed_span(laid_out(span), numbers, is_root, sink, seen)
    return framed(bytes((SPAN,)) + _packed(values if rest == _AT_START else values + rest))


HEAD: Final = struct.Struct(f"{FRAME.format}B")
"""What stands in a file before the body of a record: its frame, and its kind."""


def decode(payload: bytes) -> Record | None:
    """The record that bytes say; None for one of a kind that is not known here, or that makes no sense."""
    decoder = _decoders.get(payload[0]) if payload else None
    if decoder is None:
        return None
    try:
        record: Record = decoder.decode(memoryview(payload)[1:])
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):  # TypeError: a key that cannot be one
        return None
    return record


_NOT_ENCODABLE: Final = (UnicodeEncodeError, OverflowError, TypeError, RuntimeError, msgspec.MsgspecError)
"""Text that cannot be encoded, or a number that is too large: rare, and looking for it costs."""


def _event(event: Any) -> tuple[Any, ...]:
    return event.name, event.timestamp, _plain(event.attributes)


def _link(link: Any) -> tuple[Any, ...]:
    context = link.context
    state = context.trace_state
    return (
        context.trace_id.to_bytes(16, "big"),
        context.span_id,
        state.to_header() if state else "",
        int(context.trace_flags) | context.is_remote << 9,
        _plain(link.attributes),
    )


def _plain(attributes: Any) -> Mapping[str, Any]:
    inner = getattr(attributes, "_dict", None)
    return inner if isinstance(inner, dict) else dict(attributes or {})


def _packed(values: Any) -> bytes:
    try:
        return _encode(values)
    except _NOT_ENCODABLE:
        return _encode(_cleaned(values))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else _as_float(value)
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]
    if isinstance(value, Mapping):
        # A copy: another thread may set an attribute right now.
        return {encodable(text_of(key)): _cleaned(item) for key, item in list(value.items())}
    return value if isinstance(value, (float, bytes, type(None))) else encodable(text_of(value))


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
