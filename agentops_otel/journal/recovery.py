"""Sends what processes that are gone have left, and finishes what they left open.

After each batch that an exporter confirmed a note of it is put beside the dead process's files. So who is killed in the
middle of it is gone on from by the next one, and nothing that was confirmed is sent again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from opentelemetry.util.types import AttributeValue

from ..own_threads import start_thread
from ..shield import Shield
from . import records
from .finishing import ended, recounted, tell
from .places import OwnerFiles, Place
from .reader import Lost, LostSpan, read, services_of
from .rebuild import Tables
from .verdicts import Verdict

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MOST_SPANS: Final = 512
"""In one batch."""

MOST_BYTES: Final = 2**21
"""In one batch, as they stand in the file; a larger span is a batch of its own. Collectors refuse larger ones."""

MOST_COUNTED: Final = 2**24
"""Bytes of the spans of one session that are read to count its totals again."""

_MOMENT: Final = 0.2
"""Seconds between the first exporter that is known and the recovery: in these the others become known, too."""

_FIRST_PAUSE: Final = 1.0
"""Seconds after a failure, doubled after every further one ..."""
_LONGEST_PAUSE: Final = 60.0
"""... up to this."""
_SHARE: Final = 10
"""After a failure recovery rests so many times as long as it took: the files are read anew each time."""

_logger = logging.getLogger("agentops_otel")
_RECOVERING = Shield("recovering the sessions of a process that is gone", on_own_thread=True)

KnownOf = Callable[[records.Owner], Mapping[str, AttributeValue]]
"""What is known of the end of a process, as attributes."""


class Exporter(Protocol):
    """Where spans can be sent."""

    @property
    def key(self) -> str:
        """What is the same of it in every process."""

    def send(self, spans: Sequence[ReadableSpan]) -> Verdict: ...


@dataclass
class Summary:
    """What was found of one dead process, and what became of it."""

    name: str
    pid: int = 0
    sessions: int = 0
    """Those that were open."""
    spans: int = 0
    """Those that had still to be sent to somebody."""
    sent: int = 0
    refused: int = 0
    """Spans that a collector will never take."""
    left: int = 0
    """Spans that could not be sent: they stay."""
    damaged: int = 0
    """Places in its files that could not be read."""
    problem: str = ""
    """Why there are files that could not be read at all: they stay."""
    has_failed: bool = False
    """A collector did not take something, and may later."""


def recover(
    files: OwnerFiles,
    exporters: Sequence[Exporter],
    *,
    known_of: KnownOf = lambda owner: {},
    rest: Callable[[float], object] = lambda seconds: None,
) -> Summary:
    """Sends what a dead process left; removes its files when nothing is left of it, else gives them back.

    Each exporter is sent what the one of the same key there had not confirmed. Where none of these is here all are sent
    everything. ``rest(seconds)`` is called between two batches with the time that the last one took. Raises nothing for
    what stands in the files.
    """
    lost = read(files.segments(), files.sidecar())
    summary = Summary(files.name, sessions=lost.roots(), spans=len(lost.left()))
    if lost.owner is not None:
        summary.pid = lost.owner.pid
    try:
        sending = _Sending(files, lost, known_of(lost.owner) if lost.owner is not None else {}, rest)
        by_key = {exporter.key: exporter for exporter in exporters}
        # Who gets what is settled before the first is sent anything.
        for key, due in [(key, lost.due(key)) for key in lost.recipients(by_key)]:
            sending.send(by_key[key], due, summary)
        summary.left = len(lost.left())
        summary.damaged = lost.damaged
        summary.problem = "; ".join(f"{name}: {problem}" for name, problem in lost.problems.items())
        if not summary.left and not summary.has_failed and not summary.problem:
            files.remove()
    finally:
        files.release()
    return summary


class _Sending:
    """The sending of what one dead process left."""

    def __init__(
        self, files: OwnerFiles, lost: Lost, known: Mapping[str, AttributeValue], rest: Callable[[float], object]
    ) -> None:
        self._files = files
        self._lost = lost
        self._known = known
        self._rest = rest
        self._tables = Tables()
        for entry in lost.tables:
            self._tables.add(entry)
        self._resources = {entry.number for entry in lost.tables if isinstance(entry, records.Resource)}
        self._exporters = 0

    def send(self, exporter: Exporter, due: Sequence[LostSpan], summary: Summary) -> None:
        """Sends spans to one exporter, until it fails."""
        number, self._exporters = self._exporters, self._exporters + 1
        notes = deque([records.encode(records.Sink(number, exporter.key))])
        if due and not self._note(notes):
            summary.has_failed = True  # what arrives could not be remembered, and would be sent again
            return
        batches = _batches(due)
        while batches:
            batch = batches.pop()
            states = self._states(batch)
            began = monotonic()
            verdict = exporter.send([span for _, span in states.values()]) if states else Verdict.DELIVERED
            took = monotonic() - began
            if verdict is Verdict.FAILED:
                summary.has_failed = True
                return
            if verdict is Verdict.TOO_MUCH and len(batch) > 1:
                half = len(batch) // 2
                batches += (batch[half:], batch[:half])
                continue
            notes.append(records.encode(records.Delivered(number, [span.span_id for span in batch])))
            self._note(notes)
            for span, (state, _) in states.items():
                if span.is_root and span.is_open and not span.confirmed:
                    tell(state)
            self._lost.confirm(exporter.key, batch)
            if verdict is Verdict.DELIVERED:
                summary.sent += len(states)
            else:
                summary.refused += len(states)
            self._rest(took)

    def _note(self, notes: deque[bytes]) -> bool:
        """Writes down what is to be noted; what cannot be written now is with the next."""
        with suppress(OSError):
            while notes:
                self._files.note(notes[0])
                notes.popleft()
        return not notes

    def _states(self, batch: Sequence[LostSpan]) -> dict[LostSpan, tuple[records.SpanState, ReadableSpan]]:
        found = {}
        for span, read_state in self._lost.states(batch):
            state = read_state
            if state is not None and span.is_open:
                state = self._ended(span, state)
            readable = None if state is None else self._readable(state)
            if state is None or readable is None:
                self._lost.give_up(span)
            else:
                found[span] = state, readable
        return found

    def _ended(self, span: LostSpan, state: records.SpanState) -> records.SpanState:
        trace = span.trace
        assert trace is not None
        if span.is_root:
            others = [other for other in trace.spans if other is not span]
            if sum(other.size + other.end_size for other in others) <= MOST_COUNTED:
                states = (other for _, other in self._lost.states(others))
                state = recounted(state, [other for other in states if other is not None], self._readable)
        return ended(state, trace.activity, self._known)

    def _readable(self, state: records.SpanState) -> ReadableSpan | None:
        if state.resource not in self._resources:  # its record is damaged, which is no reason to lose the span
            self._resources.add(state.resource)
            self._tables.add(records.Resource(state.resource, {}, ""))
        return self._tables.readable(state)


def _batches(due: Sequence[LostSpan]) -> list[list[LostSpan]]:
    """What is sent together, the last first."""
    batches: list[list[LostSpan]] = []
    size = MOST_BYTES  # no batch is begun yet
    for span in due:
        span_size = max(span.size, span.end_size)  # what is in both is sent once
        size += span_size
        if size > MOST_BYTES or len(batches[-1]) == MOST_SPANS:
            batches.append([])
            size = span_size
        batches[-1].append(span)
    return batches[::-1]


class Recovery:
    """Recovers in the background what others have left: once in the beginning, and then each time it is asked.

    After a failure it is tried again as long as the process lives. Between two attempts nothing is claimed, so another
    process, whose collector answers, may do it.
    """

    def __init__(
        self,
        place: Place,
        exporters: Callable[[], Sequence[Exporter]],
        soon: Callable[[float, Callable[[], object]], object],
        services: Callable[[], Collection[str]] | None = None,
    ) -> None:
        """``soon(seconds, job)`` has a job done by another thread, and may be called in a finalizer.

        ``services``: the ``service.name`` of what this process does; what others have done may be for another backend,
        and is left to them. None: it is for everybody.
        """
        self._services = services
        self._place = place
        self._exporters = exporters
        self._soon = soon
        self._said: set[str] = set()
        """Owners of whom it was said that their files cannot be read."""
        self._reset()

    def _reset(self) -> None:
        self._is_asked = False
        self._has_failed = False
        self._claimed: OwnerFiles | None = None
        self._turn = threading.Lock()
        """Of who recovers."""
        self._starting = threading.Lock()
        self._is_running = False
        self._woken = threading.Event()
        self._in_haste = threading.Event()

    def start(self) -> None:
        """Asks for a recovery, in a moment: an exporter became known. Safe in finalizers and signal handlers."""
        self._is_asked = True
        self._soon(_MOMENT, self._begin)

    def flush(self, deadline: float) -> bool:
        """Recovers what was asked for; false if something is left, or time is up (monotonic seconds)."""
        if not self._is_asked and not self._is_running:
            return True
        if self._services is not None and not self._services():
            return True  # nothing was done yet that could tell whose processes these were
        self._in_haste.set()
        try:
            if not self._turn.acquire(timeout=max(0.0, deadline - monotonic())):
                return False
            try:
                self._recover_if_asked()
            finally:
                self._turn.release()
        finally:
            self._in_haste.clear()
        return not self._has_failed

    def in_child_after_fork(self) -> None:
        """The parent goes on with what it recovers."""
        if self._claimed is not None:
            self._claimed.release()
        self._reset()

    def _begin(self) -> None:
        with self._starting:
            self._woken.set()
            if not self._is_running:
                with suppress(RuntimeError):  # no thread can be had: `flush` does it
                    start_thread(self._run, "agentops-otel-recovery")
                    self._is_running = True

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            with self._starting:
                self._woken.clear()
                if not self._is_asked and not self._has_failed:
                    self._is_running = False
                    return
            began = monotonic()
            with self._turn:
                self._is_asked = self._is_asked or self._has_failed
                self._recover_if_asked()
            if self._has_failed:
                self._woken.wait(max(pause, _SHARE * (monotonic() - began)))
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _FIRST_PAUSE

    def _recover_if_asked(self) -> None:
        if self._is_asked:
            self._is_asked = False
            self._has_failed = True
            with _RECOVERING:
                self._has_failed = not self._recover()
                dropped = self._place.prune()
                if dropped:
                    _logger.warning(
                        "what %d processes left in %s is dropped: it is too old, or too much",
                        len(dropped),
                        self._place.directory,
                    )

    def _recover(self) -> bool:
        exporters = self._exporters()
        services = None if self._services is None else self._services()
        if services is not None and not services:
            return False
        for files in self._place.dead() if exporters else ():
            if files.name in self._said or not self._is_for_us(files, services):
                files.release()
                continue
            self._claimed = files
            summary = recover(files, exporters, rest=self._in_haste.wait)
            self._claimed = None
            self._say(summary)
            if summary.has_failed:
                return False
        return True

    def _is_for_us(self, files: OwnerFiles, services: Collection[str] | None) -> bool:
        if services is None:
            return True
        theirs = services_of(files.segments())
        return not theirs or not theirs.isdisjoint(services)

    def _say(self, summary: Summary) -> None:
        if summary.sent:
            _logger.info(
                "recovered %d sessions and %d spans of process %d", summary.sessions, summary.sent, summary.pid
            )
        if summary.refused:
            _logger.warning("%d spans of process %d were refused by the collector", summary.refused, summary.pid)
        if summary.problem and summary.name not in self._said:
            self._said.add(summary.name)
            _logger.warning("in %s there are files that cannot be read: %s", self._place.directory, summary.problem)
        if summary.damaged and not summary.has_failed:
            _logger.warning("the journal of process %d was damaged in %d places", summary.pid, summary.damaged)
