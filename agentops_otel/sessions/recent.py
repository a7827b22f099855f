"""Sessions that can be referred to by their id: by one that continues them, and by scores that come later."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Event
from typing import TYPE_CHECKING, NamedTuple, Protocol

from opentelemetry import trace
from opentelemetry.context import Context

from .. import semconv
from ..shield import Shield
from . import arguments
from .carrier import carrier_of, joined
from .record import NO_IDS, Record

if TYPE_CHECKING:
    from .worker import Worker

REMEMBERED = 1000
"""So many sessions of this process are remembered, the latest ones; and for a while as many older ones."""

_STORING = Shield("telling the session store of a session")
_RECALLING = Shield("asking the session store for a session")


class SessionStore(Protocol):
    """Where processes share what is known of sessions, so that one can continue the session of another.

    Implement it on what your processes share (a database, a cache); `configure` takes it. A carrier is a small
    dict of strings. Both methods may be called by any thread; one that raises costs a line on the log.
    """

    def put(self, session_id: str, carrier: Mapping[str, str]) -> object:
        """Keeps the carrier of a session that has started. Called on a thread of this package."""

    def get(self, session_id: str) -> Mapping[str, str] | None:
        """The carrier that was put for this id; None if there is none. Called where a session starts."""


class Known(NamedTuple):
    """What is known of a session by its id alone."""

    session_id: str
    span_context: trace.SpanContext = trace.INVALID_SPAN_CONTEXT
    ids: Mapping[str, str] = NO_IDS

    @property
    def conversation_id(self) -> str | None:
        return self.ids.get(semconv.GEN_AI_CONVERSATION_ID)


Generation = dict[str, tuple[trace.SpanContext, Mapping[str, str]]]


class Recent:
    """The latest sessions of this process, and by the user's store those of others. Thread-safe."""

    def __init__(self, worker: Worker) -> None:
        self._young: Generation = {}
        self._old: Generation = {}
        self.store: SessionStore | None = None
        self._storing = worker
        self._to_store: OrderedDict[str, Record] = OrderedDict()

    def started(self, record: Record) -> None:
        """A session has started."""
        if self.store is not None and self._storing.is_needed:
            self._storing.ensure()
        self.remember(record)

    def remember(self, record: Record) -> None:
        """A session has started, or more is known of it now. Safe in finalizers."""
        young = self._young
        young[record.session_id] = record.lasting_context, record.ids
        # Two generations: to put one in the place of the oldest for each session costs several times as much.
        if len(young) >= REMEMBERED and young is self._young:
            self._old, self._young = young, {}
        if self.store is not None:
            self._to_store[record.session_id] = record
            if len(self._to_store) > REMEMBERED:  # the store hangs
                self._to_store.popitem(last=False)
            else:
                self._storing.post(self._put_next)

    def find(self, session_id: str) -> Known:
        """What is known of a session; no more than its id if nothing is."""
        remembered = self._young.get(session_id) or self._old.get(session_id)
        if remembered is not None:
            return Known(session_id, *remembered)
        stored: Known | None = None
        if self.store is not None:
            with _RECALLING:
                carrier = self.store.get(session_id)
                if carrier is not None:
                    stored = known_by(arguments.carrier("carrier", carrier))
        return stored if stored is not None and stored.session_id == session_id else Known(session_id)

    def settle(self, timeout: float) -> None:
        """Waits until the store knows of all sessions that have started, at most ``timeout`` seconds."""
        if self._storing.is_alive:
            done = Event()
            self._storing.post(done.set)
            done.wait(timeout)

    def in_child_after_fork(self) -> None:
        """What is not stored yet the parent stores."""
        self._to_store.clear()
        self._storing.in_child_after_fork()

    def _put_next(self) -> None:
        try:
            session_id, record = self._to_store.popitem(last=False)
        except KeyError:  # more was said of a session before it was stored
            return
        with _STORING:
            if self.store is not None:
                self.store.put(session_id, carrier_of(record, around=Context()))


def known_by(carrier: Mapping[str, str]) -> Known | None:
    """What a carrier says of its session; None if it is of none."""
    record, _ = joined(carrier)
    return None if record is None else Known(record.session_id, record.lasting_context, record.ids)
