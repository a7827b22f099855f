"""Attributes of SDK spans at the least cost: the one place that knows how the SDK keeps them.

By its public API, to look whether an attribute is there and to set it takes a fifth of the time of the whole span,
because a look-up of a missing key goes through a view, a mapping and an exception, and every value is cleaned under
two locks. The strings written here are clean, and nobody else has the span while it starts. Where a span is not
built as expected, the public API is used; a test runs all of it both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from .. import semconv

_SESSION_ID = semconv.SESSION_ID


def attributes_of(span: object) -> Mapping[str, Any]:
    """The attributes of a span, to be looked at and not kept; empty for what is no SDK span."""
    try:
        attributes = span._attributes._dict  # type: ignore[attr-defined]
    except AttributeError:
        attributes = None
    if isinstance(attributes, dict):
        return attributes
    return getattr(span, "attributes", None) or {}


def stamp(span: trace.Span, session_id: str, ids: Mapping[str, str]) -> Mapping[str, Any]:
    """Sets the ids of its session on a span that is just starting, but those it brings; returns its attributes."""
    try:
        bounded = span._attributes  # type: ignore[attr-defined]
        attributes, most = bounded._dict, bounded.maxlen
        if bounded.max_value_len is None and (most is None or len(attributes) + len(ids) < most):
            attributes.setdefault(_SESSION_ID, session_id)
            if ids:
                for name, value in ids.items():
                    attributes.setdefault(name, value)
            return attributes  # type: ignore[no-any-return]
    except AttributeError:
        pass
    present: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    for name, value in {_SESSION_ID: session_id, **ids}.items():
        if name not in present:
            span.set_attribute(name, value)
    return present


def write(span: trace.Span, attributes: Mapping[str, AttributeValue]) -> None:
    """Sets attributes of a span that are clean already: arrays are tuples, and each of one type."""
    try:
        bounded = span._attributes  # type: ignore[attr-defined]
        present, most = bounded._dict, bounded.maxlen
        if (
            bounded.max_value_len is None
            and (most is None or len(present) + len(attributes) <= most)
            and span._end_time is None  # type: ignore[attr-defined]
        ):
            with bounded._lock:
                present.update(attributes)
            return
    except AttributeError:
        pass
    span.set_attributes(attributes)


def laid_out(span: Any) -> Any:
    """What a span of another make is, with the attributes that one of the SDK keeps it in."""
    return SimpleNamespace(
        _context=span.context,
        _parent=span.parent,
        _status=span.status,
        _resource=span.resource,
        _instrumentation_scope=span.instrumentation_scope,
        _attributes=SimpleNamespace(_dict=dict(attributes_of(span))),
        _events=SimpleNamespace(_dq=tuple(span.events or ())),
        _links=SimpleNamespace(_dq=tuple(span.links or ())),
        _kind=span.kind,
        _name=span.name,
        _start_time=span.start_time,
        _end_time=span.end_time,
    )
