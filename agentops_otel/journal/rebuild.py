"""Spans of the SDK, made again from what the journal says of them.

What was read from a file is untrusted: what no span can have is left out, and what lacks what each span has is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import Event as SdkEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link as SdkLink
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from ..shield import text_of
from .records import Link, Resource, Scope, SpanState

_KINDS: Final = {kind.value: kind for kind in SpanKind}
_STATUSES: Final = {status.value: status for status in StatusCode}
_LATEST: Final = 2**63 - 1
"""The last nanosecond that can be exported."""


class Tables:
    """Resources and scopes by their number in one journal; each is made once."""

    def __init__(self) -> None:
        self._resources: dict[int, SdkResource] = {}
        self._scopes: dict[int, InstrumentationScope] = {}

    def add(self, entry: Resource | Scope) -> None:
        if isinstance(entry, Resource):
            self._resources[entry.number] = SdkResource(attributes(entry.attributes), entry.schema_url)
        else:
            self._scopes[entry.number] = InstrumentationScope(
                entry.name, entry.version, entry.schema_url, attributes(entry.attributes or {})
            )

    def readable(self, state: SpanState) -> ReadableSpan | None:
        """The span; None for what cannot be one."""
        context = _context(state.trace_id, state.span_id, state.flags, state.trace_state)
        resource = self._resources.get(state.resource)
        is_timely = 0 < state.start <= _LATEST and 0 < state.end <= _LATEST
        if context is None or resource is None or not is_timely:
            return None
        parent = _context(state.trace_id, state.parent_id, state.flags, state.trace_state, state.parent_is_remote)
        status = _STATUSES.get(state.status, StatusCode.UNSET)
        return ReadableSpan(
            name=state.name,
            context=context,
            parent=parent,
            resource=resource,
            attributes=attributes(state.attributes),
            events=[
                SdkEvent(event.name, attributes(event.attributes), event.time)
                for event in state.events
                if 0 <= event.time <= _LATEST
            ],
            links=list(_links(state.links)),
            kind=_KINDS.get(state.kind, SpanKind.INTERNAL),
            status=Status(status, state.description if status is StatusCode.ERROR else None),
            start_time=state.start,
            end_time=max(state.start, state.end),  # the clock may have been set back
            instrumentation_scope=self._scopes.get(state.scope),
        )


def attributes(read: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as the SDK has them: arrays are tuples, and integers have 64 bits."""
    return {name: _attribute(value) for name, value in read.items()}


def _attribute(value: Any) -> Any:
    if isinstance(value, list):
        return tuple([_attribute(item) for item in value])
    if isinstance(value, dict):
        return {text_of(key): _attribute(item) for key, item in value.items()}
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value if isinstance(value, (str, bool, int, float, bytes)) else None


def _links(links: Sequence[Link]) -> Iterator[SdkLink]:
    for link in links:
        context = _context(link.trace_id, link.span_id, link.flags, link.trace_state, bool(link.flags & 0x200))
        if context is not None:
            yield SdkLink(context, attributes(link.attributes))


def _context(
    trace_id: bytes, span_id: int, flags: int, trace_state: str, is_remote: bool = False
) -> SpanContext | None:
    context = SpanContext(
        int.from_bytes(trace_id, "big"),
        span_id,
        is_remote,
        TraceFlags(flags & 0xFF),
        TraceState.from_header([trace_state]) if trace_state else None,
    )
    return context if context.is_valid else None
