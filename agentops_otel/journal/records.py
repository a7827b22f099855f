"""What the records of a journal say, in msgpack.

A span is always written whole, as it is at that moment: when it starts, when it has changed, when it ends. The last
record of a span is the one that counts, so none depends on another but for the tables: resources and scopes, which
are many spans' and stand once in each file, before the spans that name them by number.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ..sessions.sdk_spans import Parts, parts_of
from ..shield import encodable, text_of

OWNER: Final = 0
RESOURCE: Final = 1
SCOPE: Final = 2
SINK: Final = 3
SPAN: Final = 4
CLOSED: Final = 5
ACCEPTED: Final = 6
DELIVERED: Final = 7

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
    trace_state: str
    flags: int
    kind: int
    name: str
    start: int
    end: int
    """0 while it is open."""
    seen: int
    """When this was written."""
    status: int
    description: str | None
    resource: int
    scope: int
    attributes: Attributes
    events: Sequence[Event]
    links: Sequence[Link]


class Closed(NamedTuple):
    """A span is over, and nobody took it for export."""

    span_id: int


class Accepted(NamedTuple):
    """A span that has ended was taken for export."""

    span_id: int
    sink: int


class Delivered(NamedTuple):
    """An exporter said that these arrived, or that they never will."""

    sink: int
    span_ids: Sequence[int]


Record = Owner | Resource | Scope | Sink | SpanState | Closed | Accepted | Delivered

_KINDS: Final[dict[int, type[Any]]] = {
    OWNER: Owner,
    RESOURCE: Resource,
    SCOPE: Scope,
    SINK: Sink,
    SPAN: SpanState,
    CLOSED: Closed,
    ACCEPTED: Accepted,
    DELIVERED: Delivered,
}
_NUMBERS: Final = {kind: number for number, kind in _KINDS.items()}
_ACCEPTED: Final = struct.Struct(">BBBQBH")


def _plain_value(value: Any) -> Any:
    """What msgpack has for a value of another type: a subclass of int or float is still a number."""
    if isinstance(value, int):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, float) else text_of(value)


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_plain_value).encode
_decoders: Final = {number: msgspec.msgpack.Decoder(kind) for number, kind in _KINDS.items()}


def encode(record: Record) -> bytes:
    """A record other than a span as bytes."""
    return bytes((_NUMBERS[type(record)],)) + _packed(tuple(record))


def encode_accepted(span_id: int, sink: int) -> bytes:
    """An `Accepted`, which stands beside the end of every span: the same as of `encode`, in a tenth of the time."""
    return _ACCEPTED.pack(ACCEPTED, 0x92, 0xCF, span_id, 0xCD, sink)


def encode_span(span: Any, is_root: bool, resource: int, scope: int, seen: int, end: int) -> bytes:
    """An SDK span, as it is now, as bytes; see `SpanState`."""
    return encode_parts(parts_of(span), is_root, resource, scope, seen, end)


def encode_parts(parts: Parts, is_root: bool, resource: int, scope: int, seen: int, end: int) -> bytes:
    """The same from the parts of a span. On the path of every span, so it is written flat."""
    context, parent, status, _, _, attributes, events, links, kind, name, start = parts
    trace_id, span_id, _, flags, trace_state = context[:5]
    values = (
        span_id,
        trace_id.to_bytes(16, "big"),
        parent[1] if parent else 0,
        parent[2] if parent else False,
        is_root,
        trace_state.to_header() if trace_state else "",
        int(flags),
        kind._value_,  # not by the property, which is a Python call
        name,
        start or 0,
        end,
        seen,
        status._status_code._value_,
        status._description,
        resource,
        scope,
        attributes,
        [(event.name, event.timestamp, _plain(event.attributes)) for event in events] if events else (),
        [_link(link) for link in links] if links else (),
    )
    try:
        return _SPAN_BYTE + _encode(values)
    except _NOT_ENCODABLE:
        return _SPAN_BYTE + _encode(_cleaned(values))


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


_SPAN_BYTE: Final = bytes((SPAN,))

_NOT_ENCODABLE: Final = (UnicodeEncodeError, OverflowError, TypeError, RuntimeError, msgspec.MsgspecError)
"""Text that cannot be encoded, or a number that is too large: rare, and looking for it costs."""


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
