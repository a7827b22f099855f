"""The journal of a process: what is in its files at every moment, as somebody reads them when it is dead."""

from __future__ import annotations

import gc
import itertools
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from support.spans import context_of

from agentops_otel.journal import format, numbers, pen, places, reader, records, segment, shelf, writer
from agentops_otel.journal.places import Place
from agentops_otel.journal.rebuild import Tables
from agentops_otel.journal.writer import Journal

provider = TracerProvider(shutdown_on_exit=False, resource=Resource({"service.name": "test"}))
tracer = provider.get_tracer("tests", "1")
JOURNAL = Path(writer.__file__).parent
DECIDING = {writer.__file__, numbers.__file__, pen.__file__, shelf.__file__, places.__file__}
FILL = {"session.id": "s" * 32, "text": "x" * 900}
"""Makes a record of about a kilobyte."""


class Written:
    """A journal, and what stands in its files."""

    def __init__(self, directory: Path) -> None:
        self.place = Place(directory)
        self._due: list[Callable[[], object]] = []
        self.journal = Journal(self.place, "", 1, lambda seconds, job: self._due.append(job))
        self.sink = self.journal.sink("exporter")

    def tend(self) -> None:
        """Does what the journal wants to have done later, until there is nothing of it."""
        while self._due:
            self._due.pop(0)()

    def is_to_be_tended(self) -> bool:
        return bool(self._due)

    def files(self) -> list[Path]:
        return sorted(self.place.directory.glob("*.journal"))

    def kinds(self) -> list[int]:
        """The kinds of the records in the files."""
        return [payload[0] for path in self.files() for _, payload in format.payloads(path.read_bytes())]

    def lost(self) -> reader.Lost:
        """What would be found if the process were killed now."""
        lost = reader.read(self.files())
        assert not lost.damaged
        assert not lost.problems
        return lost

    def open(self) -> list[int]:
        """The ids of the spans that would be found open."""
        return [span.span_id for span in self.lost().left() if span.is_open]

    def owed(self, key: str = "exporter") -> list[int]:
        """The ids of those that have ended and would be sent to an exporter."""
        lost = self.lost()
        return [span.span_id for span in lost.due(key) if not span.is_open]

    # -- spans --

    def start(self, name: str = "span", *, is_root: bool = False, attributes: dict[str, Any] = FILL) -> Span:
        span = tracer.start_span(name, attributes=attributes)
        assert isinstance(span, Span)
        self.journal.started(span, is_root=is_root)
        return span

    def end(self, span: Span, *sinks: int) -> int:
        """Ends a span, which exporters take; its id."""
        span.end()
        ended = span._readable_span()
        for sink in sinks or (self.sink,):
            assert self.journal.accepted(ended, context_of(ended).span_id, sink)
        self.journal.ended(id_of(span))
        return id_of(span)

    def several(self, count: int) -> list[int]:
        """Spans that have ended, a kilobyte each."""
        return [self.end(self.start()) for _ in range(count)]

    def deliver(self, span_ids: Iterable[int]) -> None:
        self.journal.delivered(self.sink, list(span_ids))


def id_of(span: ReadableSpan) -> int:
    return context_of(span).span_id


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    found = Written(tmp_path / "journal")
    yield found
    found.journal.leave()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few records, as if there had been millions."""
    monkeypatch.setattr(shelf, "SMALL_BYTES", 2**15)
    monkeypatch.setattr(shelf, "LARGE_BYTES", 2**15 + 2**14)


# -- a span -------------------------------------------------------------------------------------------------------


def test_a_span_is_there_when_its_start_has_returned(written: Written) -> None:
    span = written.start(is_root=True)
    assert written.open() == [id_of(span)]
    assert written.lost().roots() == 1


def test_a_span_is_there_as_it_ended_when_an_exporter_has_taken_it(written: Written) -> None:
    span = written.start("before")
    span.update_name("after")
    span_id = written.end(span)
    assert written.open() == []
    assert written.owed() == [span_id]
    [back] = written.journal.read([span_id])
    assert (back.name, back.end_time, back.resource.attributes["service.name"]) == ("after", span.end_time, "test")


def test_of_an_end_only_what_can_have_changed_is_written_where_the_rest_is_in_the_same_file(written: Written) -> None:
    span = written.start()
    before = written.kinds()
    assert before[-1] == records.SPAN
    written.end(span)
    assert written.kinds() == [*before, records.ENDED]
    [(_, state)] = written.lost().states(written.lost().left())
    [read] = written.journal.read([id_of(span)])
    assert state is not None
    assert (state.name, state.end, dict(read.attributes or {})) == (span.name, span.end_time, FILL)


def test_what_was_changed_is_there_and_nothing_is_written_for_what_was_not(written: Written) -> None:
    span = written.start(is_root=True)
    written.journal.changed(span)
    size = len(bytes(written.files()[0].read_bytes()).rstrip(b"\0"))
    written.journal.changed(span)
    assert len(bytes(written.files()[0].read_bytes()).rstrip(b"\0")) == size
    span.set_attribute("late", 1)
    written.journal.changed(span)
    lost = written.lost()
    [(_, state)] = lost.states(lost.left())
    assert state is not None
    assert state.attributes["late"] == 1
    assert state.is_root


def test_a_span_that_was_delivered_is_not_there(written: Written) -> None:
    first, second = written.several(2)
    written.deliver([first])
    assert written.owed() == [second]
    assert not written.journal.is_waiting(first, written.sink)
    assert written.journal.waiting_count() == 1


def test_a_span_of_two_exporters_waits_for_both(written: Written) -> None:
    other = written.journal.sink("other")
    span_id = written.end(written.start(), written.sink, other)
    written.deliver([span_id])
    assert (written.owed(), written.owed("other")) == ([], [span_id])
    written.journal.delivered(other, [span_id])
    assert (written.owed(), written.owed("other")) == ([], [])


def test_a_span_that_nobody_took_is_given_up(written: Written) -> None:
    span = written.start()
    span.end()
    written.journal.ended(id_of(span))
    written.tend()
    assert written.lost().left() == []
    written.journal.close()
    assert written.files() == []


def test_a_span_of_no_session_and_one_that_is_not_sampled_are_none_of_the_journals(written: Written) -> None:
    span = tracer.start_span("other")
    assert isinstance(span, Span)
    span.end()
    assert not written.journal.accepted(span._readable_span(), span.context.span_id, written.sink)
    unsampled = TracerProvider(ParentBased(ALWAYS_OFF), shutdown_on_exit=False).get_tracer("t").start_span("unsampled")
    if isinstance(unsampled, Span):
        written.journal.started(unsampled, is_root=True)
    assert written.files() == []


def test_a_span_larger_than_a_file_is_there_and_one_that_is_too_large_costs_only_itself(written: Written) -> None:
    large = written.end(written.start(attributes=FILL | {"large": "x" * (shelf.LARGE_BYTES + 1)}))
    huge = written.start(attributes=FILL | {"huge": "x" * (format.MOST_BYTES + 1)})
    small = written.end(written.start())
    assert written.owed() == [large, small]
    assert id_of(huge) not in written.open()


# -- files --------------------------------------------------------------------------------------------------------


def test_nobody_else_can_read_the_files(written: Written) -> None:
    written.start()
    assert written.place.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in written.place.directory.iterdir()} == {0o600}


def test_the_room_of_a_file_is_taken_before_anything_is_written(written: Written) -> None:
    # Else a write to the mapping on a full disk would kill.
    written.start()
    [path] = written.files()
    assert path.stat().st_blocks * 512 >= path.stat().st_size == shelf.SMALL_BYTES


def test_the_next_file_goes_on_where_the_last_one_is_full(written: Written) -> None:
    # 20 MB: files of their real size.
    ids = written.several(10_000)
    assert len(written.files()) > 2
    assert written.owed() == ids
    assert [id_of(span) for span in written.journal.read(ids)] == ids


@pytest.mark.usefixtures("small")
def test_every_file_can_be_read_without_the_ones_before(written: Written) -> None:
    scope = written.several(300)
    for path in written.files():
        lost = reader.read([path])
        tables = Tables()
        for entry in lost.tables:
            tables.add(entry)
        due = lost.due("exporter")
        assert lost.owner is not None
        assert due
        assert all(span.accepted for span in due if not span.is_open)
        for _, state in lost.states(due):
            assert state is not None
            assert state.span_id in scope
            if state.end:
                back = tables.readable(state)
                assert back is not None
                assert back.resource.attributes["service.name"] == "test"
                assert back.instrumentation_scope is not None
                assert back.instrumentation_scope.name == "tests"


@pytest.mark.usefixtures("small")
def test_files_with_nothing_that_counts_are_removed_or_written_to_anew(written: Written) -> None:
    seen: set[int] = set()
    for _ in range(20):
        written.deliver(written.several(100))
        written.tend()
        files = written.files()
        # Beside the newest one, in which only is what was delivered last.
        assert len(files) <= 1 + shelf.FEW
        assert sum(path.read_bytes().strip(b"\0").count(format.MARK) > 10 for path in files) <= 1
        seen.update(path.stat().st_ino for path in files)
    assert written.lost().left() == []
    assert len(seen) < 20


@pytest.mark.usefixtures("small")
def test_whoever_is_killed_while_a_file_is_emptied_has_nothing_more_to_send(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "_ZEROS", bytes(100))
    moments = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal moments
        if frame.f_code is not segment.Segment.empty.__code__:
            return None
        moments += 1
        lost = reader.read(written.files())
        assert (lost.left(), lost.problems) == ([], {})
        return trace

    written.deliver(written.several(20))
    written.deliver(written.several(20))
    sys.settrace(trace)
    try:
        written.tend()
    finally:
        sys.settrace(None)
    assert moments > 300


@pytest.mark.usefixtures("small")
def test_an_empty_file_that_somebody_has_removed_is_made_again(written: Written) -> None:
    written.deliver(written.several(100))
    written.tend()
    *empty, newest = written.files()
    assert len(empty) > 1
    for path in empty:
        path.unlink()
    ids = written.several(100)
    assert written.owed() == ids
    assert newest in written.files()


def test_what_was_on_the_disk_is_overwritten_before_its_file_is_written_to_anew(written: Written) -> None:
    old = written.start(attributes={"session.id": "s", "secret": "said once"})
    written.deliver([written.end(old)])
    written.deliver(written.several(1000))
    written.tend()
    assert len(written.files()) == 2
    assert not any(b"said once" in path.read_bytes() for path in written.files())


@pytest.mark.usefixtures("small")
def test_open_spans_outlive_their_file(written: Written) -> None:
    root = written.start("root", is_root=True)
    [first] = written.files()
    for _ in range(10):
        written.deliver(written.several(100))
        written.tend()
    assert first not in written.files()
    lost = written.lost()
    assert (written.open(), lost.roots()) == ([id_of(root)], 1)
    root.set_attribute("late", 1)
    written.end(root)
    assert written.owed() == [id_of(root)]


@pytest.mark.usefixtures("small")
def test_a_span_that_nobody_can_read_keeps_no_file(written: Written) -> None:
    written.start(7)  # type: ignore[arg-type]  # for a name; the SDK takes it
    for _ in range(10):
        written.deliver(written.several(100))
        written.tend()
    assert len(written.files()) <= 1 + shelf.FEW


@pytest.mark.usefixtures("small")
def test_spans_that_wait_outlive_their_file_and_it_is_still_known_for_whom(written: Written) -> None:
    other = written.journal.sink("other")
    for_both = written.end(written.start(), written.sink, other)
    for_other = written.end(written.start(), written.sink, other)
    written.deliver([for_other])
    [first] = written.files()
    for _ in range(10):
        written.deliver(written.several(100))
        written.tend()
    assert first not in written.files()
    assert written.owed() == [for_both]
    assert sorted(written.owed("other")) == sorted([for_both, for_other])


def test_what_is_over_the_bound_is_dropped_the_oldest_first_and_that_is_said_once(
    written: Written, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shelf, "SMALL_BYTES", 2**15)
    monkeypatch.setattr(shelf, "LARGE_BYTES", 2**15 + 2**14)
    monkeypatch.setattr(shelf, "MOST_BYTES", 2**17)
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        ids = written.several(1000)
    left = written.owed()
    assert sum(path.stat().st_size for path in written.files()) <= 2**17
    assert 30 < len(left) < 200
    assert left == ids[-len(left) :]
    assert [written.journal.is_waiting(span_id, written.sink) for span_id in (ids[0], ids[-1])] == [False, True]
    assert written.journal.waiting_count() == len(left)
    assert len(caplog.records) == 1


def test_a_regular_end_leaves_nothing_behind_where_all_was_delivered(written: Written) -> None:
    written.deliver(written.several(10))
    written.journal.close()
    assert list(written.place.directory.iterdir()) == []


def test_a_regular_end_leaves_what_was_not_delivered_and_takes_it_away_when_it_is(written: Written) -> None:
    ids = written.several(10)
    written.journal.close()
    assert written.owed() == ids
    written.deliver(ids)
    assert list(written.place.directory.iterdir()) == []


def test_many_tracers_of_one_scope_take_no_more_room_than_one(written: Written) -> None:
    for _ in range(2000):
        span = provider.get_tracer("of a request", "1").start_span("span", attributes={"session.id": "s"})
        assert isinstance(span, Span)
        written.journal.started(span, is_root=False)
        written.deliver([written.end(span)])
    assert len(written.lost().tables) <= 10


# -- at the same time ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_threads_may_write_at_the_same_time(written: Written) -> None:
    waiting: list[int] = []

    def several() -> None:
        for _ in range(20):
            ids = written.several(20)
            written.deliver(ids[:15])
            waiting.extend(ids[15:])

    threads = [threading.Thread(target=several) for _ in range(6)]
    over = threading.Event()

    def tend() -> None:
        while not over.is_set():
            written.tend()

    tending = threading.Thread(target=tend)
    with switching_often():
        for thread in (*threads, tending):
            thread.start()
        for thread in threads:
            thread.join()
        over.set()
        tending.join()
    assert sorted(written.owed()) == sorted(waiting)
    written.tend()
    assert sorted(written.owed()) == sorted(waiting)


@contextmanager
def switching_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


@contextmanager
def at_every_line(interrupt: Callable[[], object]) -> Iterator[None]:
    """Calls ``interrupt()`` before every line of the journal that this thread runs, as a finalizer may be.

    Twice each: what it has written is written by a loop.
    """
    times: Counter[tuple[str, int]] = Counter()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if Path(frame.f_code.co_filename).parent != JOURNAL:
            return None
        where = frame.f_code.co_filename, frame.f_lineno
        if event == "line" and times[where] < 2:
            times[where] += 1
            sys.settrace(None)
            try:
                interrupt()
            finally:
                sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


def test_a_forked_child_writes_nothing_to_the_files_of_its_parent(written: Written) -> None:
    span = written.start()
    written.tend()
    before = [path.read_bytes() for path in written.files()]
    written.journal.leave()
    span.set_attribute("late", 1)
    written.journal.changed(span)
    written.start(is_root=True)
    span.end()
    assert not written.journal.accepted(span._readable_span(), id_of(span), written.sink)
    assert [path.read_bytes() for path in written.files()] == before
    assert not written.is_to_be_tended()


@pytest.mark.usefixtures("small")
def test_a_finalizer_may_start_and_end_spans_at_every_line_of_a_write(written: Written) -> None:
    started: list[int] = []
    ended: list[int] = []

    def interrupt() -> None:
        started.append(id_of(written.start("in a finalizer", attributes={"session.id": "s"})))
        ended.append(written.end(written.start("in a finalizer", attributes={"session.id": "s"})))

    gc.disable()
    try:
        with at_every_line(interrupt):
            own = written.end(written.start())
            for _ in range(40):  # enough for a new file
                delivered = written.end(written.start())
                written.deliver([delivered])
            still = id_of(written.start(is_root=True))
    finally:
        gc.enable()
    assert len(started) > 100
    assert len(written.files()) > 1
    assert sorted(written.owed()) == sorted([own, *ended])
    assert sorted(written.open()) == sorted([still, *started])
    written.tend()
    assert sorted(written.owed()) == sorted([own, *ended])
    assert sorted(written.open()) == sorted([still, *started])


def test_a_write_may_be_left_at_every_line_of_it_by_an_exception_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Ctrl-C does it. Who could not write for that would wait, or do without, for ever.
    monkeypatch.setattr(pen, "_PATIENCE", 0.0)
    writes = {pen.Pen.started.__code__, pen.Pen.accepted.__code__}
    left = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if frame.f_code in writes and event == "line":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    for number in itertools.count():
        written = Written(tmp_path / str(number))
        first = written.start()
        left = number
        sys.settrace(trace)
        try:
            written.end(written.start())
            assert number > 30
            return
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        written.end(first)
        assert id_of(first) in written.owed()
        thread = threading.Thread(target=written.several, args=(2,))
        thread.start()
        thread.join()
        assert len(written.owed()) >= 3


Situation = Callable[[Written], tuple[Callable[[], object], Callable[[], object], Callable[[], object]]]
"""What a thread does, what another one does meanwhile, and what is true and done after both."""


class Meanwhile:
    """What another thread does before one line that this thread runs where it is decided what is written."""

    def __init__(self, number: int, job: Callable[[], object]) -> None:
        """``number``: before which of the lines."""
        self._left = number
        self._thread = threading.Thread(target=job)
        self.was_reached = False

    def __enter__(self) -> Meanwhile:
        sys.settrace(self._trace)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)
        if not self.was_reached:
            self._thread.start()
        self._thread.join()

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in DECIDING:
            return None
        if event == "line" and not self.was_reached:
            self._left -= 1
            if self._left < 0:
                self.was_reached = True
                self._thread.start()
                self._thread.join(0.02)  # longer it takes only where it has to wait for this one
        return self._trace


@pytest.fixture
def at_each_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Situation], None]:
    monkeypatch.setattr(pen, "_PATIENCE", 30.0)
    monkeypatch.setattr(shelf, "SMALL_BYTES", 2**12)
    monkeypatch.setattr(shelf, "LARGE_BYTES", 2**12)

    def run(situation: Situation) -> None:
        for number in itertools.count():
            written = Written(tmp_path / str(number))
            here, there, after = situation(written)
            with Meanwhile(number, there) as meanwhile:
                here()
            after()
            written.tend()
            assert not written.lost().left()
            assert not written.journal.waiting_count()
            written.journal.close()
            assert list(written.place.directory.iterdir()) == []
            if not meanwhile.was_reached:
                assert number > 20
                return

    return run


def test_spans_may_be_delivered_while_they_are_moved_to_another_file(at_each_line: Callable[[Situation], None]) -> None:
    def situation(written: Written) -> Any:
        waiting = written.end(written.start(attributes={"session.id": "s"}))
        written.tend()
        [first] = written.files()
        while len(written.files()) < 3:
            written.deliver(written.several(1))

        def is_moved() -> None:
            assert first not in written.files()

        return written.tend, lambda: written.deliver([waiting]), is_moved

    at_each_line(situation)


def test_a_span_may_end_and_be_delivered_while_its_change_is_written(at_each_line: Callable[[Situation], None]) -> None:
    def situation(written: Written) -> Any:
        span = written.start(attributes={"session.id": "s"})
        span.set_attribute("late", 1)

        def end() -> None:
            span.end()
            assert written.journal.accepted(span._readable_span(), id_of(span), written.sink)
            written.deliver([id_of(span)])

        def is_gone() -> None:
            assert not written.lost().left()

        return lambda: written.journal.changed(span), end, is_gone

    at_each_line(situation)


def test_a_span_may_be_taken_in_the_moment_when_it_is_given_up(at_each_line: Callable[[Situation], None]) -> None:
    def situation(written: Written) -> Any:
        span = written.start(attributes={"session.id": "s"})
        span.end()
        written.journal.ended(id_of(span))

        def take() -> None:
            assert written.journal.accepted(span._readable_span(), id_of(span), written.sink)

        def arrive() -> None:
            assert written.owed() == [id_of(span)]
            written.deliver([id_of(span)])

        return written.tend, take, arrive

    at_each_line(situation)


def test_a_span_may_be_taken_before_it_is_written_that_it_was_given_up(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pen, "_PATIENCE", 0.0)
    span = written.start()
    span.end()
    written.journal.ended(id_of(span))
    turn = written.journal._pen._turn
    turn[None] = "another thread, which does not get on"
    written.tend()
    del turn[None]
    assert written.journal.accepted(span._readable_span(), id_of(span), written.sink)
    assert written.owed() == [id_of(span)]
    assert [read.name for read in written.journal.read([id_of(span)])] == ["span"]


def test_a_span_may_arrive_at_one_exporter_while_another_takes_it(at_each_line: Callable[[Situation], None]) -> None:
    def situation(written: Written) -> Any:
        other = written.journal.sink("other")
        span = written.start(attributes={"session.id": "s"})
        written.end(span)

        def take() -> None:
            assert written.journal.accepted(span._readable_span(), id_of(span), other)

        def arrive() -> None:
            assert (written.owed(), written.owed("other")) == ([], [id_of(span)])
            written.journal.delivered(other, [id_of(span)])

        return take, lambda: written.deliver([id_of(span)]), arrive

    at_each_line(situation)


def test_a_span_may_arrive_at_two_exporters_at_once(at_each_line: Callable[[Situation], None]) -> None:
    def situation(written: Written) -> Any:
        other = written.journal.sink("other")
        spans = [written.end(written.start(), written.sink, other)]
        return lambda: written.deliver(spans), lambda: written.journal.delivered(other, spans), lambda: None

    at_each_line(situation)


def test_an_exporter_may_become_known_while_the_first_file_is_made(at_each_line: Callable[[Situation], None]) -> None:
    def situation(written: Written) -> Any:
        started: list[Span] = []

        def end() -> None:
            other = written.journal.sink("other")
            ended = [written.end(span, other) for span in started]
            assert written.lost().recipients(["exporter", "other"]) == ["exporter", "other"]
            assert written.owed("other") == ended
            written.journal.delivered(other, ended)

        return lambda: started.append(written.start()), lambda: written.journal.sink("other"), end

    at_each_line(situation)


def test_an_exporter_may_be_used_while_it_becomes_known_to_another_thread(
    at_each_line: Callable[[Situation], None],
) -> None:
    def situation(written: Written) -> Any:
        span = written.start()

        def take() -> None:
            written.end(span, written.journal.sink("other"))

        def arrive() -> None:
            assert written.owed("other") == [id_of(span)]
            written.journal.delivered(written.journal.sink("other"), [id_of(span)])

        return lambda: written.journal.sink("other"), take, arrive

    at_each_line(situation)


@pytest.mark.parametrize("count", [1, 50])  # in one file, and in several
def test_files_that_another_thread_removes_because_all_has_arrived_are_not_missed(
    at_each_line: Callable[[Situation], None], caplog: pytest.LogCaptureFixture, count: int
) -> None:
    def situation(written: Written) -> Any:
        spans = written.several(count)
        written.journal.close()
        return written.tend, lambda: written.deliver(spans), lambda: None

    at_each_line(situation)
    assert not caplog.records
