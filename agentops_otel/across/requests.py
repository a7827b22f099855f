"""Requests of instrumented clients, by W3C Baggage."""

from __future__ import annotations

import sys
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context, get_current
from opentelemetry.propagators import textmap

from .. import semconv
from ..sessions.carrier import without_ids
from ..sessions.registry import Registry
from ..shield import Shield
from .contexts import call_in
from .way import Function, Way

_ADDING = Shield("taking a session along in a request")

_PROPAGATE = "opentelemetry.propagate"
"""Module of the global propagator. Its import loads those that OTEL_PROPAGATORS names, so it is not done here."""


class Requests(Way):
    """A request that is sent in a session carries its ids, by the global propagator, if that sends baggage."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry, {_PROPAGATE: self._wrap_propagator})

    def uninstall(self) -> None:
        super().uninstall()
        propagate: Any = sys.modules.get(_PROPAGATE)
        if propagate is not None:
            current = propagate.get_global_textmap()
            if isinstance(current, SessionPropagator):
                propagate.set_global_textmap(current.wrapped)

    def _wrap_propagator(self, propagate: Any) -> None:
        self._wrap(propagate, "set_global_textmap", self._around_set)
        propagate.set_global_textmap(propagate.get_global_textmap())

    def _around_set(self, original: Function) -> Function:
        def set_global_textmap(http_text_format: textmap.TextMapPropagator) -> None:
            if self._is_on and not isinstance(http_text_format, SessionPropagator):
                http_text_format = SessionPropagator(http_text_format, self)
            original(http_text_format)

        return set_global_textmap

    def in_session(self, around: Context) -> Context:
        """A context with the ids of its session in the baggage; the same one if it is of no session.

        They are not put there when a session starts: a context may be kept, and they would still be there when the
        session is over. The user's id is for who is given it by `Session.carrier`: requests go anywhere.
        """
        record = self._session() if around is get_current() else call_in(around, self._session)
        if record is None:
            return around
        around = baggage.set_baggage(semconv.SESSION_ID, record.session_id, without_ids(around))
        conversation_id = record.ids.get(semconv.GEN_AI_CONVERSATION_ID)
        if conversation_id is None:
            return around
        return baggage.set_baggage(semconv.GEN_AI_CONVERSATION_ID, conversation_id, around)


class SessionPropagator(textmap.TextMapPropagator):
    """The propagator of the user, which also sends the ids of sessions; otherwise just that."""

    def __init__(self, wrapped: textmap.TextMapPropagator, requests: Requests) -> None:
        self.wrapped = wrapped
        self._requests = requests

    def extract(
        self,
        carrier: textmap.CarrierT,
        context: Context | None = None,
        getter: textmap.Getter[textmap.CarrierT] = textmap.default_getter,
    ) -> Context:
        return self.wrapped.extract(carrier, context, getter)

    def inject(
        self,
        carrier: textmap.CarrierT,
        context: Context | None = None,
        setter: textmap.Setter[textmap.CarrierT] = textmap.default_setter,
    ) -> None:
        with _ADDING:
            around = get_current() if context is None else context
            inside = self._requests.in_session(around)
            if inside is not around and "baggage" in self.wrapped.fields:
                context = inside
        self.wrapped.inject(carrier, context, setter)

    @property
    def fields(self) -> set[str]:
        return self.wrapped.fields
