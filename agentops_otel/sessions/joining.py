"""Work that belongs to a session of another process or service."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry import baggage, context

from .carrier import joined, without_ids
from .context import BAGGAGE_KEY, SPAN_KEY, detach_quietly
from .handle import Session

if TYPE_CHECKING:
    from .registry import Registry

_logger = logging.getLogger("agentops_otel")


class Joining:
    """Makes the work of a ``with`` (or ``async with``) block part of a session of another process.

    The block gets a handle of that session, or None where the carrier was of none. It can be used again, by other
    threads and tasks too, not by two at the same time.
    """

    __slots__ = ("_outside", "_record", "_registry", "_tokens")

    def __init__(self, registry: Registry, carrier: Mapping[str, str]) -> None:
        self._registry = registry
        self._record, self._outside = joined(carrier)
        self._tokens: list[Token[context.Context]] = []
        if self._record is None:
            _logger.debug("this carrier is of no session; nothing is joined")

    def __enter__(self) -> Session | None:
        record = self._record
        if record is None:
            return None
        here = without_ids(context.get_current())
        if record.live_context.is_valid:
            # The ids are those of the record. In the baggage they would also reach spans of other traces, which a
            # request without a session may start in this context.
            here = context.Context({**here, SPAN_KEY: record})
            outside = without_ids(self._outside)
        else:
            outside = self._outside
        entries = {**baggage.get_all(here), **baggage.get_all(outside)}
        self._tokens.append(context.attach(context.Context({**here, BAGGAGE_KEY: entries})))
        return self._registry.handle_of(self._registry.at_home(record)) or Session(self._registry, record)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tokens:
            detach_quietly(self._tokens.pop())

    async def __aenter__(self) -> Session | None:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
