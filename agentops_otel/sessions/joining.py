"""Work that belongs to a session of another process or service."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry import baggage, context

from .carrier import joined
from .context import SPAN_KEY, detach_quietly
from .handle import Session

if TYPE_CHECKING:
    from .registry import Registry

_logger = logging.getLogger("agentops_otel")


class Joining:
    """Makes the work of a ``with`` (or ``async with``) block part of a session of another process.

    The block gets a handle of that session, or None where the carrier was of none. It can be used again, by other
    threads and tasks too, not by two at the same time.
    """

    __slots__ = ("_outside", "_record", "_registry", "_token")

    def __init__(self, registry: Registry, carrier: Mapping[str, str]) -> None:
        self._registry = registry
        self._record, self._outside = joined(carrier)
        self._token: Token[context.Context] | None = None
        if self._record is None:
            _logger.debug("this carrier is of no session; nothing is joined")

    def __enter__(self) -> Session | None:
        record = self._record
        if record is None:
            return None
        inside = context.get_current()
        for name, value in baggage.get_all(self._outside).items():
            inside = baggage.set_baggage(name, value, inside)
        if record.live_context.is_valid:
            inside = context.Context({**inside, SPAN_KEY: record})
        self._token = context.attach(inside)
        return Session(self._registry, record)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            detach_quietly(token)

    async def __aenter__(self) -> Session | None:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
