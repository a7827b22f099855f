"""The handle: the `Session` in the user's hands."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry.util.types import AttributeValue

from .. import semconv
from ..shield import Shield
from . import arguments, scores
from .carrier import carrier_of
from .context import Attachment, restore
from .exceptions import error_type, record_exception
from .recent import Known
from .record import Record
from .sdk_spans import attributes_of
from .state import COMPLETED, Ending, EndReason, EndState, ending_for
from .totals import Count

if TYPE_CHECKING:
    from .registry import Registry

_logger = logging.getLogger("agentops_otel")
_WRITING = Shield("writing to a session")


class Session:
    """One run of an agent. Owns the session as a file object owns its file: drop it, and the session ends.

    Made by `session` and `start_session`. Thread-safe. Nothing here waits for the network (but ``end(flush=True)``),
    and using a session that has ended does nothing.
    """

    __slots__ = ("__weakref__", "_record", "_registry")

    def __init__(self, registry: Registry, record: Record) -> None:
        self._registry = registry
        self._record = record

    # -- what it is --

    @property
    def id(self) -> str:
        """``session.id``."""
        return self._record.session_id

    @property
    def name(self) -> str | None:
        """The name it was started with."""
        return self._record.session_name

    @property
    def conversation_id(self) -> str | None:
        """``gen_ai.conversation.id``, where known."""
        return self._record.ids.get(semconv.GEN_AI_CONVERSATION_ID)

    @property
    def trace_id(self) -> str:
        """Trace id of the session's root span, 32 hex digits (all zero where no SDK is set up)."""
        return f"{self._record.lasting_context.trace_id:032x}"

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet (and belongs to this process)."""
        return self._record.is_open

    @property
    def totals(self) -> Count:
        """What the session has consumed so far."""
        totals = self._record.totals
        return totals.count() if totals is not None else Count()

    # -- what is said of it --

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Sets an attribute of the root span.

        Raises TypeError or ValueError for what is no attribute.
        """
        if self._can("set an attribute"):
            self._set({arguments.text("key", key): arguments.attribute(f"value of {key!r}", value)})

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Sets attributes of the root span.

        Raises TypeError or ValueError for what is no attribute; then none is set.
        """
        if self._can("set attributes"):
            self._set(arguments.attributes("attributes", attributes))

    def add_tags(self, *tags: str) -> None:
        """Adds tags (``agentops.tags``) to those the session has; one that it has already is not added again."""
        if self._can("add tags"):
            added = arguments.tags("tags", tags)
            with _WRITING:
                present = attributes_of(self._record).get(semconv.TAGS, ())
                self._record.set_attribute(semconv.TAGS, tuple(dict.fromkeys((*present, *added))))
                self._touch()

    def record_exception(self, exception: BaseException) -> None:
        """Records an exception that the session survived; its end state stays what its end says."""
        if self._can("record an exception"):
            error = arguments.exception("exception", exception)
            with _WRITING:
                self._record.error_type = error_type(error)
                record_exception(self._record, error)
                self._touch()

    def record_score(
        self, name: str, value: float | None = None, *, label: str | None = None, explanation: str | None = None
    ) -> None:
        """Records what somebody thinks of the session, as a ``gen_ai.evaluation.result`` event; also after its end.

        Args:
            name: what was judged, such as "helpful".
            value: the score, a finite number.
            label: the score in a word, such as "pass".
            explanation: the reason for it.

        Raises TypeError or ValueError for arguments that make no sense.
        """
        score = scores.checked(name, value, label, explanation)
        record = self._record
        known = Known(record.session_id, record.lasting_context, record.ids)
        scores.write(known, record.span, self._registry.tracer(), score)

    # -- where it is current --

    def attach(self) -> Attachment:
        """Makes the session current in this thread or task for the time of a ``with`` (or ``async with``) block.

        Changes nothing if it is over.
        """
        return Attachment(self, self._record)

    def carrier(self) -> dict[str, str]:
        """Headers (W3C Trace Context and Baggage) that take the session to another process or service.

        Give them to `join_session` there, or send them with a request to a service that OpenTelemetry instruments:
        what is done there are children of the session's root, with the session's ids. They carry all ids, so send
        them only to whom may know these. Empty where no SDK is set up.
        """
        return carrier_of(self._record)

    # -- its end --

    def end(
        self,
        state: EndState | str | None = None,
        reason: EndReason | str | None = None,
        *,
        flush: bool = False,
        timeout: float = 5.0,
    ) -> None:
        """Ends the session; after the first end this does nothing.

        Args:
            state: how it went: "success", "error" or "unknown". Without one the end state is success and the
                span's status stays UNSET; a success that is said makes the status OK, an error makes it ERROR.
            reason: why it ended; default "completed".
            flush: also wait until everything recorded so far has been exported.
            timeout: how many seconds to wait for that.

        Raises TypeError or ValueError for arguments that make no sense, nothing else. Never waits for the network
        without ``flush``.
        """
        checked = None if state is None else arguments.choice("state", state, EndState)
        why = EndReason.COMPLETED if reason is None else arguments.choice("reason", reason, EndReason)
        arguments.boolean("flush", flush)
        timeout = arguments.seconds("timeout", timeout, zero=True)
        restore(self._record)
        if not self._registry.end(self._record, Ending.said(checked, why)):
            _logger.debug("session %s has ended already; cannot end it again", self.id)
        if flush:
            self._registry.flush(timeout)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        restore(self._record)
        self._leave(error)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _leave(self, error: BaseException | None) -> None:
        """The end of a block whose context is restored."""
        ending = COMPLETED if error is None else ending_for(error)
        if isinstance(error, GeneratorExit):
            # An abandoned generator may be closed by the garbage collector, in the middle of any line of this
            # thread, with any lock held: what is to be written is written elsewhere.
            self._registry.end_soon(self._record, ending)
        else:
            self._registry.end(self._record, ending)

    def _set(self, attributes: Mapping[str, AttributeValue]) -> None:
        with _WRITING:
            self._record.set_attributes(attributes)
            self._touch()

    def _can(self, do: str) -> bool:
        if not self._record.is_open:
            _logger.debug("session %s has ended; cannot %s", self.id, do)
        return self._record.is_open

    def _touch(self) -> None:
        if self._record.limits is not None:
            self._record.limits.touch()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and other._record is self._record

    def __hash__(self) -> int:
        return hash(self._record)

    def __repr__(self) -> str:
        state = "open" if self.is_open else "ended" if self._record.is_owned else "elsewhere"
        return f"<Session {self.name!r} {self.id} {state}>"
