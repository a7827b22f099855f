"""The start of a session: its root span, its record, its handle."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextvars import Token
from types import CodeType
from typing import Any, NamedTuple

from opentelemetry import context, trace
from opentelemetry.util.types import AttributeValue

from .. import semconv
from ..shield import absorb, encodable
from . import arguments, ids
from .carrier import ids_in
from .context import SPAN_KEY
from .handle import Session
from .limits import Limits
from .recent import Known, known_by
from .record import NO_IDS, Record, skip_dead
from .registry import Registry
from .sdk_spans import attributes_of
from .source import Source

_HERE = os.path.dirname(os.path.dirname(__file__)) + os.sep
"""Folder of this package."""


class Plan(NamedTuple):
    """The checked arguments of a session that has not started yet."""

    name: str | None = None
    id: str | None = None
    ids: Mapping[str, str] = NO_IDS
    """The other ids that every span of the session gets."""
    attributes: Mapping[str, AttributeValue] = NO_IDS
    previous: str | Known | None = None
    """The session it continues: its id, or all that is known of it."""
    idle_timeout: float | None = None
    max_duration: float | None = None
    location: Mapping[str, AttributeValue] | None = None
    """``code.*`` of where it is started; None: where `start` is called from."""
    span_name: str | None = None
    """What its root is called; None: ``session {name}``."""

    @classmethod
    def checked(
        cls,
        name: object,
        *,
        id: object,
        conversation_id: object,
        user_id: object,
        tags: object,
        attributes: object,
        previous_id: object,
        idle_timeout: object,
        max_duration: object,
    ) -> Plan:
        """A plan from what a user passed in; TypeError or ValueError that names the argument."""
        said = {} if attributes is None else arguments.attributes("attributes", attributes)
        if tags != ():
            said[semconv.TAGS] = arguments.tags("tags", tags)
        ids = ids_in(said)
        if conversation_id is not None:
            ids[semconv.GEN_AI_CONVERSATION_ID] = arguments.identifier("conversation_id", conversation_id)
        if user_id is not None:
            ids[semconv.USER_ID] = arguments.identifier("user_id", user_id)
        return cls(  # by position, which takes half of the time
            None if name is None else arguments.text("name", name),
            None if id is None else arguments.identifier("id", id),
            ids or NO_IDS,
            said,
            None if previous_id is None else _previous(previous_id),
            None if idle_timeout is None else arguments.seconds("idle_timeout", idle_timeout),
            None if max_duration is None else arguments.seconds("max_duration", max_duration),
        )


def start(
    registry: Registry, source: Source | None, plan: Plan, *, of_block: bool
) -> tuple[Session, Token[context.Context] | None]:
    """Starts a session and makes it current here; returns the handle and the token of its context.

    ``of_block``: a block holds the handle. Without a ``source`` the handle does nothing.
    """
    here = context.get_current()
    current: Any = here.get(SPAN_KEY)
    outer = skip_dead(current)
    previous = registry.known(plan.previous) if isinstance(plan.previous, str) else plan.previous
    record = Record(source, plan.name, plan.id or ids.new_id(), plan.ids, outer)
    if previous is not None and previous.conversation_id is not None:
        record.ids = {semconv.GEN_AI_CONVERSATION_ID: previous.conversation_id, **plan.ids}
    handle = Session(registry, record)
    if source is None:
        return handle, None
    # With the record as the current span: it has an invalid span context until it is born, so the span becomes a
    # root, and our span processor finds in the parent context whose root it sees.
    inside = context.Context(here, **{SPAN_KEY: record})
    attributes = {
        **plan.attributes,
        **(_caller() if plan.location is None else plan.location),
        **record.ids,
        semconv.SESSION_ID: record.session_id,
        semconv.GEN_AI_OPERATION_NAME: semconv.SESSION_OPERATION,
    }
    if previous is not None:
        attributes[semconv.SESSION_PREVIOUS_ID] = previous.session_id
    root: trace.Span | None = None
    try:
        root = source.tracer.start_span(
            plan.span_name or (f"{semconv.SESSION_OPERATION} {plan.name}" if plan.name else semconv.SESSION_OPERATION),
            context=inside,
            attributes=attributes,
            links=_links(outer and current, previous) if outer is not None or previous is not None else None,
        )
        if semconv.SESSION_ID not in attributes_of(root) and root.is_recording():
            root.set_attributes(attributes)  # a sampler that returns no attributes makes the SDK drop these
    except Exception as error:  # noqa: BLE001
        absorb("starting the root span of a session", error)
    if record.span is not None:
        source.is_attached = True
    elif root is not None:
        record.born(root, root.get_span_context())
        if root.is_recording():
            source.attach()
            if registry.keeper is not None:  # there was no processor of ours to tell it
                registry.keeper.started(root, is_root=True)
    if not record.lasting_context.is_valid:
        return handle, None  # no SDK, or a sampler, id generator or span processor of the user that raised
    registry.opened(record, handle, of_block=of_block)
    registry.recent.started(record)
    if plan.idle_timeout is not None or plan.max_duration is not None:
        record.limits = Limits(plan.idle_timeout, plan.max_duration)
        registry.watch_time(record)
    token = context.attach(inside)
    if registry.observers:
        registry.announce(record)
    return handle, token


def _previous(value: object) -> str | Known:
    """What a session continues, by an id or a carrier."""
    if isinstance(value, str):
        return arguments.identifier("previous_id", value)
    if not isinstance(value, Mapping):
        raise TypeError(f"previous_id must be an id or a carrier, not {type(value).__name__}")
    known = known_by(arguments.carrier("previous_id", value))
    if known is None:
        raise ValueError("previous_id must be the carrier of a session")
    return known


def _links(current: trace.Span | None, previous: Known | None) -> list[trace.Link]:
    # A session is always a root; what was current where it started is linked, not its parent.
    links = []
    if current is not None and current.get_span_context().is_valid:
        links.append(trace.Link(current.get_span_context()))
    if previous is not None and previous.span_context.is_valid:
        links.append(trace.Link(previous.span_context, {semconv.SESSION_ID: previous.session_id}))
    return links


def _caller() -> Mapping[str, AttributeValue]:
    """``code.*`` of the line outside of this package that is being executed."""
    frame = sys._getframe(4)  # the first that can be one of the user
    while frame.f_code.co_filename.startswith(_HERE) and frame.f_back is not None:
        frame = frame.f_back
    code, module = frame.f_code, frame.f_globals.get("__name__", "")
    place = id(code), frame.f_lasti, module  # to hash the code itself takes longer than all the rest
    known = _locations.get(place)
    if known is None:
        if len(_locations) >= _MOST_LOCATIONS:
            _locations.clear()
        attributes = {
            semconv.CODE_FILE_PATH: code.co_filename,
            semconv.CODE_LINE_NUMBER: frame.f_lineno,
            semconv.CODE_FUNCTION_NAME: encodable(f"{module}.{getattr(code, 'co_qualname', code.co_name)}"),
        }
        known = _locations[place] = code, attributes
    return known[1]


_MOST_LOCATIONS = 1024
_locations: dict[tuple[int, int, str], tuple[CodeType, Mapping[str, AttributeValue]]] = {}
"""One for all sessions started in one place. With the code, so that no other gets its number."""


def location_of(function: Callable[..., object]) -> dict[str, AttributeValue]:
    """``code.*`` of a decorated function."""
    code = getattr(function, "__code__", None)
    module = getattr(function, "__module__", None) or "?"  # methods of built-in classes have none
    attributes: dict[str, AttributeValue] = {
        semconv.CODE_FUNCTION_NAME: encodable(f"{module}.{getattr(function, '__qualname__', '?')}"),
    }
    if isinstance(code, CodeType):
        attributes[semconv.CODE_FILE_PATH] = code.co_filename
        attributes[semconv.CODE_LINE_NUMBER] = code.co_firstlineno
    return attributes
