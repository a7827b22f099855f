"""The registry: every session of this process, and who may end it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace

from .. import clock
from ..shield import Shield, absorb
from . import ending as ends
from .adopted import AdoptedRecord
from .afterlife import SpanKeeper
from .carrier import ids_in
from .context import SPAN_KEY
from .handle import Session
from .leak_guard import LeakGuard, SpanWatch
from .observer import Observer
from .recent import Known, Recent
from .record import JOINED, Record, skip_dead
from .sdk_spans import attributes_of, write
from .shared_traces import SharedTraces
from .state import COMPLETED, TIMEOUT, Ending, EndReason, EndState
from .worker import Timer, Worker

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .source import Source

_OBSERVING = Shield("telling an observer of sessions")

ATTEND = 0.5
"""Seconds after which a session in which something happened is looked after."""

MOST_LOOKED_AFTER = 1000
"""Sessions whose open spans are looked at for changes while nothing else happens in them."""


class Registry:
    """The sessions of this process, by trace id (a session is a trace of its own).

    There is no lock: ending is claimed by one atomic ``dict.pop``, so it may be tried from anywhere, any number of
    times, and one wins. Nothing on the path of a span depends on how many sessions there are.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.guard = LeakGuard(worker, self._handle_died, self._span_died)
        self.observers: tuple[Observer, ...] = ()
        # With a worker of its own: a store may be slow, or hang, and what is dropped must end all the same.
        self.recent = Recent(Worker())
        self.tracer: Callable[[], trace.Tracer | None] = lambda: None
        """Starts spans where sessions are started."""
        self.flush: Callable[[float], bool] = lambda timeout: True
        """Waits until what has been recorded is exported, at most so many seconds."""
        self.end_bounded: Callable[[Ending, object], object] = self.end_everything
        """`end_everything`, but not for longer than the user wants to wait for a span processor that hangs."""
        self.keeper: SpanKeeper | None = None
        """Keeps the spans of sessions beyond the death of the process."""
        self.shared = SharedTraces()
        self.adopting: Callable[[], Source | None] = lambda: None
        """Called where a session is about to be adopted: where those of the global provider are from."""
        self.runs: Collection[str] = ()
        """Operations whose outermost spans are adopted."""
        self.fresh: set[int] = set()
        """Keys of the sessions to attend to soon. Not the records: most of them are over by then."""
        self._is_attending = False
        self._turn: Timer | None = None
        self.ended = 0
        """How many sessions have ended; who waits for ends sees by it that there is progress."""
        self._open: dict[int, Record] = {}
        self._over: dict[int, Record] = {}
        """Sessions that are not open any more but still have spans here: descendants that outlive their root, and
        in a forked child the sessions of the parent."""
        self._ending: dict[int, Record] = {}
        """Claimed, but not yet written."""

    # -- looking --

    def current(self) -> Record | None:
        """The session that the work of this thread or task belongs to."""
        found: Any = context.get_current().get(SPAN_KEY)
        span = skip_dead(found)
        if span is None:
            return None
        if type(span) is Record:
            return self.at_home(span)
        return self.of_span(*span.get_span_context()[:2])

    def find(self, key: int) -> Record | None:
        """A session by its key."""
        return self._open.get(key) or self._over.get(key)

    def of_span(self, trace_id: int, span_id: int) -> Record | None:
        """The session that a span belongs to."""
        return self.find(trace_id) or self.shared.find(trace_id, span_id)

    def at_home(self, record: Record) -> Record:
        """The session itself, if a carrier of it came back to the process in which it is open; else ``record``."""
        return self._open.get(record.trace_id, record) if record.owner == JOINED else record

    def lookups(self) -> tuple[Callable[[int], Record | None], Callable[[int], Record | None]]:
        """Look-ups of open sessions, and of others that still have spans here, for the path of every span."""
        return self._open.get, self._over.get

    def known(self, session_id: str) -> Known:
        """What is known of a session by its id."""
        known = self.recent.find(session_id)
        if not known.span_context.is_valid:  # it started before so many others, or nowhere
            for record in self.open_records():
                if record.session_id == session_id:
                    return Known(session_id, record.lasting_context, record.ids)
        return known

    def open_count(self) -> int:
        return len(self._open)

    def open_records(self) -> list[Record]:
        return list(self._open.values())

    def handle_of(self, record: Record) -> Session | None:
        """The user's handle, None when nobody holds it; a new one for a session that no handle here owns."""
        if not record.is_owned or type(record) is AdoptedRecord:
            return Session(self, record)
        return self.guard.handle_of(record)

    # -- starting --

    def opened(self, record: Record, handle: Session, *, of_block: bool) -> None:
        """The root of ``record`` has started; from now on the session is guarded."""
        if self.worker.is_needed:
            self.worker.ensure()
        record.is_open = True
        trace_id = record.lasting_context[0]
        # An id generator that repeats itself must not make two sessions share one entry.
        self._open[trace_id if trace_id not in self._open else -id(record)] = record
        if not of_block:
            self.guard.watch_handle(handle, record)
        else:
            record.watch = handle
            record.spans = {}
            self.fresh.add(trace_id)
            if not self._is_attending:
                self.attend_soon(trace_id)

    def adopted(self, record: AdoptedRecord, span: trace.Span) -> None:
        """The root of ``record`` is ``span``, which somebody else has just started; from now on it is guarded."""
        if self.worker.is_needed:
            self.worker.ensure()
        record.is_open = True
        self._open[record.key] = record
        if record.key != record.trace_id:
            self.shared.add(record.trace_id, record.lasting_context.span_id, record)
        self.guard.watch_root(span, record)
        self.attend_soon(record.key)
        self.recent.started(record)
        self.announce(record)

    def announce(self, record: Record) -> None:
        for observer in self.observers:
            with _OBSERVING:
                observer.session_started(record)

    # -- spans in sessions --

    def learn(self, record: Record, attributes: Mapping[str, object]) -> None:
        """Attributes say of which conversation or user the session is; what was known before stays.

        Frameworks often say so when a span ends, which a finalizer may do: nothing here may take a lock.
        """
        learned = {name: value for name, value in ids_in(attributes).items() if name not in record.ids}
        if learned:
            record.ids = {**record.ids, **learned}
            if record.owner != JOINED:  # its process knows the root of it, this one may not
                self.recent.remember(record)
            self.attend_soon(record.key)  # for the root

    def attend_soon(self, key: int) -> None:
        """Has the worker look after a session in a moment, what need not, or must not, be done where spans end.

        Blocks and spans that are still open then are watched: most end sooner, and a finalizer, or a weak reference
        with the state of a span, costs much of what they cost. And the totals are written on the root: a span may be
        ended by a finalizer, while this very thread holds the root's lock.
        """
        self.fresh.add(key)
        if not self._is_attending:
            self._is_attending = True
            self._turn = self.worker.post_at(clock.monotonic() + ATTEND, self._attend_in_turn)

    def attend(self) -> None:
        """Looks after the sessions that `attend_soon` was called for, now."""
        turn = self._turn
        if turn is not None:  # or turns would pile up where this is called often
            self.worker.cancel(turn)
        self._attend_in_turn()

    def _attend_in_turn(self) -> None:
        self._turn = None
        self._is_attending = False  # first, so that nothing is added behind our back
        taken = []
        with contextlib.suppress(KeyError):  # it is empty
            while True:
                taken.append(self.fresh.pop())
        for key in taken:
            record = self.find(key)
            if record is not None:
                try:
                    self._look_after(record)
                except Exception as error:  # noqa: BLE001 - of somebody's span; the others have their turn all the same
                    absorb("looking after a session", error)

    def _look_after(self, record: Record) -> None:
        self.guard.watch_handle_of(record)
        if self.guard.watch_spans(record):
            self.attend_soon(record.key)
        elif not record.is_open:
            self.forget_if_done(record)
        root = record.span
        if type(record) is AdoptedRecord:
            self.learn(record, attributes_of(root))
        known = ends.known_since_start(record)
        if record.is_open and root is not None and root.is_recording():
            if known:
                write(root, known)
            if self.keeper is not None:
                self._keep_changes(self.keeper, record, root)

    def _keep_changes(self, keeper: SpanKeeper, record: Record, root: trace.Span) -> None:
        keeper.changed(root)
        spans = record.spans or {}
        for held in spans.copy().values():
            keeper.changed(held.revive() if isinstance(held, SpanWatch) else held)
        # What is written on an open span, nobody tells; nor on a root that is somebody else's.
        if (spans or type(record) is AdoptedRecord) and len(self.fresh) < MOST_LOOKED_AFTER:
            self.attend_soon(record.key)

    def span_started_late(self, record: Record, span_id: int) -> None:
        """A span started in a session that is over, or that belongs to another process."""
        # It may have been forgotten since the span looked for it; or another thread has joined it at the same time,
        # with a record of its own.
        while (kept := self._over.setdefault(record.key, record)) is not record and record.spans:
            kept.first_span()[span_id] = record.spans.pop(span_id)
            record = kept
        if not record.is_owned:
            self.worker.ensure()

    def root_ended(self, record: Record, span: ReadableSpan) -> None:
        """Code that got hold of the root span itself ended it: all that is left is to know it."""
        if self.claim(record):
            self.guard.unwatch(record)
            self.worker.post(self._written, record, COMPLETED, span.end_time or clock.time_ns())

    def forget_if_done(self, record: Record) -> None:
        """Lets go of a session that is over when nothing of it is left here."""
        if record.spans or id(record) in self._ending:
            return
        if not record.is_owned and record.owner != JOINED:  # what the child does next in it must find it
            return
        self._over.pop(record.key, None)
        if record.spans:  # one started meanwhile
            self._over[record.key] = record
        elif type(record) is AdoptedRecord:
            self.shared.forget(record)

    # -- ending --

    def claim(self, record: Record) -> bool:
        """Takes the right, and the duty, to end a session. Safe in finalizers and signal handlers."""
        key = record.key
        if self._open.pop(key if self._open.get(key) is record else -id(record), None) is None:
            return False
        self._ending[id(record)] = self._over[key] = record
        record.is_open = False
        record.live_context = trace.INVALID_SPAN_CONTEXT  # from now on no context adopts children for it
        if record.outer is not None:
            record.outer = skip_dead(record.outer)  # or those that overlap would hold each other in an endless chain
        return True

    def end(self, record: Record, ending: Ending) -> bool:
        """Ends a session here and now; false if it was not open."""
        if not self.claim(record):
            return False
        self._finish(record, ending)
        return True

    def end_soon(self, record: Record, ending: Ending) -> bool:
        """Ends a session without taking a lock here: it is over at once, its spans are written by the worker."""
        if not self.claim(record):
            return False
        self.worker.post(self._finish, record, ending)
        return True

    def end_all(self, ending: Ending, source: object = None) -> int:
        """Ends the open sessions (of one source); returns how many."""
        return sum(
            self.end(record, ending) for record in self.open_records() if source is None or record.source is source
        )

    def end_everything(self, ending: Ending, source: object = None) -> None:
        """Ends the open sessions and whatever spans of others are still open here (of one source).

        A session that was joined has no source here; its spans end with any.
        """
        self.end_all(ending, source)
        for record in list(self._over.values()):
            if source is None or record.source is None or record.source is source:
                self._end_descendants(record, ending, clock.time_ns())

    def wait_until_written(self, timeout: float) -> None:
        """Waits until what other threads have claimed is written."""
        deadline = time.monotonic() + timeout
        while self._ending and time.monotonic() < deadline:
            time.sleep(0.002)

    def in_child_after_fork(self) -> None:
        """The sessions belong to the parent; what the child does in their contexts still belongs to them."""
        self._over.update(self._open)
        self._open.clear()
        self._ending.clear()
        for record in self._over.values():
            self.guard.unwatch(record)
            record.leave_to_owner()
        self.fresh.clear()
        self._is_attending = False
        self._turn = None
        self.recent.in_child_after_fork()

    def _finish(self, record: Record, ending: Ending) -> None:
        root = record.span
        assert root is not None
        if isinstance(record.watch, Session):
            record.watch = None
        else:
            self.guard.unwatch(record)
        if record.limits is not None and record.limits.timer is not None:
            self.worker.cancel(record.limits.timer)
        end_time = clock.time_ns() if ending.time is None else ends.not_before_start(root, ending.time)
        try:
            if not ending.is_normal and record.spans:
                self._end_descendants(record, ending, end_time)
            ends.end_root(record, root, ending, end_time)
        finally:  # also when the user presses Ctrl-C right now
            self._written(record, ending, end_time)

    def _written(self, record: Record, ending: Ending, end_time: int) -> None:
        for observer in self.observers:
            with _OBSERVING:
                observer.session_ended(record, ending, end_time)
        record.span = trace.INVALID_SPAN  # a forgotten context may still hold the record, and the root may be large
        key = record.key
        self.ended += 1
        self._ending.pop(id(record), None)
        self._over.pop(key, None)
        if record.spans:  # they outlive their root, and stay guarded
            self._over[key] = record
        elif type(record) is AdoptedRecord:
            self.shared.forget(record)

    def _end_descendants(self, record: Record, ending: Ending, end_time: int) -> None:
        # A span starts after its parent, so the order of starts backwards is deepest first.
        for span_id, held in reversed((record.spans or {}).copy().items()):
            self._end_descendant(record, span_id, held, ending, end_time)

    def _end_descendant(
        self, record: Record, span_id: int, held: trace.Span | SpanWatch, ending: Ending, end_time: int
    ) -> None:
        ends.end_descendant(held.revive() if isinstance(held, SpanWatch) else held, ending, end_time)
        (record.spans or {}).pop(span_id, None)  # also when somebody's processor kept us from hearing of it

    # -- what the worker is told --

    def _handle_died(self, record: Record, died: int) -> None:
        warn = ends.warning_of(record)
        if self.end(record, Ending(EndState.UNKNOWN, EndReason.GARBAGE_COLLECTED, time=died)):
            warn()

    def _span_died(self, watch: SpanWatch, died: int) -> None:
        record = watch.record
        if record.spans and watch.span_id in record.spans:
            ending = Ending(EndState.UNKNOWN, EndReason.GARBAGE_COLLECTED, time=died)
            self._end_descendant(record, watch.span_id, watch, ending, died)
            self.forget_if_done(record)

    def watch_time(self, record: Record) -> None:
        """Ends the session when its time limits say so."""
        limits = record.limits
        if limits is not None:
            limits.timer = self.worker.post_at(limits.deadline(), lambda: self._time_is_up(record))

    def _time_is_up(self, record: Record) -> None:
        if record.limits is None or not record.is_open:
            return
        if record.limits.deadline() > clock.monotonic():  # there was activity since
            self.watch_time(record)
        else:
            self.end(record, TIMEOUT)
