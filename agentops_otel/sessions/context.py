"""Which session is current: sessions in OpenTelemetry's context."""

from __future__ import annotations

from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry import baggage, context, trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from .record import JOINED, Record, skip_dead

if TYPE_CHECKING:
    from .handle import Session


SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, context.Context())))
"""The key under which a context holds its span. The API keeps it to itself, but shows it in any context; looking it
up costs a fifth of `trace.get_current_span`."""

BAGGAGE_KEY = next(iter(baggage.set_baggage("", "", context.Context())))
"""The key under which a context holds its baggage."""

_SUPPRESS_INSTRUMENTATION_KEY_OF_OLD = "suppress_instrumentation"


def is_suppressed(around: context.Context) -> bool:
    """Whether nothing is to be instrumented in a context: `opentelemetry.instrumentation.utils` says so in it."""
    return bool(around.get(_SUPPRESS_INSTRUMENTATION_KEY) or around.get(_SUPPRESS_INSTRUMENTATION_KEY_OF_OLD))


def restore(record: Record) -> None:
    """Makes current what was current before the session, if the session still is current here.

    One that was joined stays current until its block is left: nothing else here ends it.
    """
    # Not by a token: the end may come in another thread or task than the start, where a token is refused, and a
    # handle that kept one would keep the context of its start alive, and so every session that was open then.
    if context.get_current().get(SPAN_KEY) is record and record.owner != JOINED:
        outer = skip_dead(record.outer)
        context.attach(trace.set_span_in_context(outer if outer is not None else trace.INVALID_SPAN))


class Attachment:
    """Makes a session current in this thread or task for the time of a block; holds the handle meanwhile."""

    __slots__ = ("_handle", "_record", "_token")

    def __init__(self, handle: Session, record: Record) -> None:
        self._handle = handle
        self._record = record
        self._token: Token[context.Context] | None = None

    def __enter__(self) -> Session:
        # One that is over would bring along what was current where it started, such as a request of somebody else.
        if self._record.live_context.is_valid:
            self._token = context.attach(trace.set_span_in_context(self._record))
        return self._handle

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            detach_quietly(token)

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def detach_quietly(token: Token[context.Context]) -> None:
    """Detaches a context token if this is still the context it was made in; otherwise there is nothing to undo."""
    try:
        token.var.reset(token)
    except ValueError:
        pass  # another thread, task or generator step
    except AttributeError:  # a runtime context that is not made of contextvars
        context.detach(token)
