"""What a dead process left is read from its files, whatever has become of them."""

from __future__ import annotations

import os
import shutil
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import journals
from support.journals import KEY, OTHER, START, content, end_of, span

from agentops_otel.journal import format
from agentops_otel.journal.places import Place
from agentops_otel.journal.reader import MOST_BYTES, Lost, owner_of, read
from agentops_otel.journal.records import Accepted, Closed, Delivered, Owner, Record, Sink, encode

any_input = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def lost(place: Path, *files: Sequence[Record], sinks: Sequence[str] = (KEY,), room: int = 0) -> Lost:
    journals.write(place, *files, sinks=sinks, room=room)
    [dead] = Place(place).dead()
    found = read(dead.segments(), dead.sidecar())
    dead.release()
    assert not found.problems
    return found


def due(found: Lost, key: str = KEY) -> list[int]:
    return [each.span_id for each in found.due(key)]


# -- what is left, and for whom -----------------------------------------------------------------------------------


def test_a_span_that_was_taken_for_export_and_not_delivered_is_left(place: Path) -> None:
    found = lost(place, [span(2, parent=1), span(2, parent=1, end=3), Accepted(2, 0)])
    [(_, state)] = found.states(found.due(KEY))
    assert state == span(2, parent=1, end=3)
    assert (found.owner, found.roots()) == (Owner(4711, ""), 0)


def test_a_span_that_was_delivered_is_not(place: Path) -> None:
    assert not lost(place, [span(2, end=3), Accepted(2, 0), Delivered(0, [2])]).left()


def test_it_may_have_been_delivered_before_its_end_was_written(place: Path) -> None:
    assert not lost(place, [span(2), Delivered(0, [2]), span(2, end=3), Accepted(2, 0)]).left()


def test_a_span_that_was_delivered_was_not_open_whatever_its_record_says(place: Path) -> None:
    found = lost(place, [span(2), Delivered(0, [2])])
    assert (due(found), found.roots()) == ([], 0)


def test_a_span_that_nobody_took_is_not_left(place: Path) -> None:
    assert not lost(place, [span(2), Closed(2)]).left()


def test_a_span_that_somebody_took_late_is_left(place: Path) -> None:
    assert due(lost(place, [span(2), Closed(2), span(2, end=3), Accepted(2, 0)])) == [2]


def test_an_end_is_not_taken_back_by_a_record_that_was_written_late(place: Path) -> None:
    found = lost(place, [span(2, end=3), Accepted(2, 0), span(2)])
    [(_, state)] = found.states(found.due(KEY))
    assert state == span(2, end=3)


def test_the_end_of_a_span_may_stand_apart_in_the_same_file(place: Path) -> None:
    ended = span(2, parent=1, end=4, seen=2, attributes={"late": 1}, name="renamed", sink=0)
    found = lost(place, [span(1), span(2, parent=1), span(3, parent=1), end_of(span(3, end=5)), end_of(ended)])
    assert due(found) == [3, 2, 1]
    assert [state for _, state in found.states(found.due(KEY))][1] == ended
    assert {each.trace and each.trace.activity - START for each in found.left()} == {5 * 10**9}
    assert found.damaged == 0


def test_an_end_apart_says_who_took_it(place: Path) -> None:
    ends = [end_of(span(2, end=3), sink=1), end_of(span(3, end=4))]
    spans = [span(2, parent=1), span(3, parent=1)]
    found = lost(place, [*spans, *ends, Accepted(3, 1), Delivered(0, [3])], sinks=[KEY, OTHER])
    assert (due(found), due(found, OTHER)) == ([], [2, 3])


def test_an_end_apart_from_what_it_is_the_end_of_is_none(place: Path) -> None:
    found = lost(place, [span(2, parent=1)], [end_of(span(2, end=3)), end_of(span(9, end=3))])
    assert (due(found), [state for _, state in found.states(found.due(KEY))]) == ([2], [span(2, parent=1)])


def test_an_end_apart_is_not_taken_back_either(place: Path) -> None:
    ended = span(2, parent=1, end=3, seen=2, sink=0)
    found = lost(place, [span(2, parent=1), end_of(ended), span(2, parent=1)])
    assert [state for _, state in found.states(found.due(KEY))] == [ended]


def test_an_open_span_is_for_every_exporter(place: Path) -> None:
    found = lost(place, [span(1), span(2, parent=1)], sinks=[KEY, OTHER])
    assert (due(found), due(found, OTHER), found.roots()) == ([2, 1], [2, 1], 1)


def test_a_span_that_ended_is_for_those_who_took_it(place: Path) -> None:
    found = lost(
        place,
        [span(2, end=3), Accepted(2, 0), Accepted(2, 1), span(3, end=3), Accepted(3, 1), Delivered(0, [2])],
        sinks=[KEY, OTHER],
    )
    assert (due(found), due(found, OTHER)) == ([], [2, 3])


def test_its_end_says_who_took_it_first(place: Path) -> None:
    found = lost(place, [span(2, end=3, sink=1), span(3, end=3, sink=0), Accepted(3, 1)], sinks=[KEY, OTHER])
    assert (due(found), due(found, OTHER)) == ([3], [2, 3])


def test_a_span_that_ended_when_its_process_died_is_for_all(place: Path) -> None:
    found = lost(place, [span(2, end=3)], sinks=[KEY, OTHER])
    assert (due(found), due(found, OTHER)) == ([2], [2])


def test_files_are_one_journal(place: Path) -> None:
    found = lost(
        place,
        [span(1), span(2, parent=1), span(3, parent=1)],
        [span(2, parent=1, end=4), Accepted(2, 0), span(3, parent=1, end=5), Accepted(3, 0)],
        [Delivered(0, [3])],
        room=100,
    )
    assert due(found) == [2, 1]
    assert [state for _, state in found.states(found.due(KEY))] == [span(2, parent=1, end=4), span(1)]
    assert found.damaged == 0


def test_what_ended_comes_first_and_then_session_by_session_the_deepest_of_what_was_open(place: Path) -> None:
    found = lost(
        place,
        [
            span(10, trace=1),
            span(20, trace=2),
            span(11, trace=1, parent=10),
            span(21, trace=2, parent=20),
            span(12, trace=1, parent=11),
            span(13, trace=1, parent=12),
            span(22, trace=2, parent=21, end=30),
            Accepted(22, 0),
            span(13, trace=1, parent=12, end=31),
            Accepted(13, 0),
        ],
    )
    assert due(found) == [22, 13, 12, 11, 10, 21, 20]


def test_the_last_activity_is_that_of_the_session(place: Path) -> None:
    found = lost(
        place,
        [span(1), span(2, parent=1), span(2, parent=1, end=7), Accepted(2, 0), Delivered(0, [2])],
        [span(1, seen=6), span(8, trace=2), span(9, trace=2, parent=8, start=8.5, seen=8)],
    )
    activity = {each.span_id: each.trace and each.trace.activity - START for each in found.left()}
    assert activity == {1: 7 * 10**9, 8: 8_500_000_000, 9: 8_500_000_000}


def test_where_one_of_the_exporters_is_here_only_those_get_something(place: Path) -> None:
    found = lost(place, [span(1)], sinks=[KEY, OTHER])
    assert found.recipients(["new", OTHER]) == [OTHER]
    found.confirm(OTHER, found.due(OTHER))
    assert [each.span_id for each in found.left()] == [1]


@pytest.mark.parametrize("sinks", [[], [KEY]])
def test_where_none_of_the_exporters_is_here_all_get_everything(place: Path, sinks: list[str]) -> None:
    found = lost(place, [span(1), span(2, parent=1, end=3)], sinks=sinks)
    assert found.recipients(["new", "newer"]) == ["new", "newer"]
    dues = [found.due(key) for key in ("new", "newer")]
    assert [[each.span_id for each in spans] for spans in dues] == [[2, 1], [2, 1]]
    found.confirm("new", dues[0])
    assert not found.left()


def test_what_was_sent_since_stands_beside_the_files(place: Path) -> None:
    """Sent in part, in place of an exporter that was not there, by two others."""
    journals.write(place, [span(1), span(2, parent=1, end=3), span(3, parent=1, end=4)])
    [dead] = Place(place).dead()
    for note in (Sink(0, "new"), Sink(1, "newer"), Delivered(0, [2, 3]), Delivered(1, [2])):
        dead.note(encode(note))
    found = read(dead.segments(), dead.sidecar())
    assert found.recipients(["newest", "newer"]) == ["newer"]
    assert due(found, "newer") == [3, 1]
    assert due(found, KEY) == [1]
    assert found.recipients(["newest", KEY, "new"]) == [KEY]
    assert found.recipients(["newest"]) == ["newest"]
    assert due(found, "newest") == [1]


# -- whatever became of the files ---------------------------------------------------------------------------------


def a_symlink(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def two_gibibytes_of_zeros(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 2**31)


def too_large(path: Path) -> None:
    os.truncate(path, MOST_BYTES + 1)


def a_newer_version(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[16] += 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "become",
    [
        a_symlink,
        a_directory,
        a_fifo,
        two_gibibytes_of_zeros,
        too_large,
        a_newer_version,
        lambda path: path.write_bytes(format.header()[:-1]),
        lambda path: path.write_text("dear diary"),
        lambda path: path.write_bytes(bytes(range(256)) * 1000),
        lambda path: path.unlink(),
    ],
)
def test_a_file_that_is_none_of_a_journal_is_named_and_the_others_are_read(
    place: Path, become: Callable[[Path], object]
) -> None:
    journals.write(place, [span(1)], [span(2, parent=1)], [span(3, parent=1)])
    [dead] = Place(place).dead()
    segments = dead.segments()
    become(segments[1])
    began = time.monotonic()
    found = read(segments)
    assert time.monotonic() - began < 10
    assert due(found) == [3, 1]
    assert list(found.problems) == [segments[1].name]
    assert found.problems[segments[1].name]


@pytest.mark.parametrize("size", [0, 10, 2**20])
def test_a_file_that_was_just_made_when_its_process_died_has_nothing_in_it(place: Path, size: int) -> None:
    journals.write(place, [span(1)])
    [dead] = Place(place).dead()
    dead.segment(1).write_bytes(bytes(size))
    found = read(dead.segments())
    assert (due(found), found.problems, found.damaged) == ([1], {}, 0)


def test_the_name_of_a_file_may_be_odd(tmp_path: Path) -> None:
    path = tmp_path / "\n\udcff [x]*%s.journal"
    path.write_bytes(content(*journals.HEAD, Sink(0, KEY), span(1)))
    found = read([path])
    assert due(found) == [1]
    assert [state for _, state in found.states(found.left())] == [span(1)]


@pytest.mark.parametrize("become", [lambda path: path.unlink(), lambda path: os.truncate(path, 100), a_directory])
def test_files_may_change_after_they_were_read(place: Path, become: Callable[[Path], object]) -> None:
    found = lost(place, [span(1), span(2, parent=1)])
    become(next(place.glob("*.000000.journal")))
    assert [(each.span_id, state) for each, state in found.states(found.due(KEY))] == [(2, None), (1, None)]


def test_records_of_an_exporter_that_nobody_named_are_kept_apart(place: Path) -> None:
    found = lost(place, [span(2, end=3), Accepted(2, 7), span(3, end=4), Accepted(3, 7), Delivered(7, [2])], sinks=[])
    assert found.recipients([KEY]) == [KEY]
    assert due(found) == [3]


ENTRIES: list[Record] = [
    span(1),
    span(2, parent=1),
    span(2, parent=1, end=3),
    Accepted(2, 0),
    span(3, parent=1, end=4),
    Closed(9),
]
WHOLE = content(*journals.HEAD, Sink(0, KEY), *ENTRIES)


@any_input
@given(length=st.integers(0, len(WHOLE)))
def test_of_a_file_that_was_cut_off_everything_before_is_read(tmp_path: Path, length: int) -> None:
    path = tmp_path / "1.journal"
    path.write_bytes(WHOLE[:length])
    found = read([path])
    assert set(due(found)) <= {1, 2, 3}
    assert all(state in ENTRIES for _, state in found.states(found.left()))
    assert found.damaged == 0
    assert bool(found.problems) == (0 < length < format.HEADER_SIZE)


STARTED = span(2, parent=1)
APART = content(STARTED, end_of(span(2, parent=1, end=3)))


@any_input
@given(offset=st.integers(0, len(WHOLE) - 1), flip=st.integers(1, 255))
def test_a_damaged_byte_costs_one_record_at_most(tmp_path: Path, offset: int, flip: int) -> None:
    path = tmp_path / "1.journal"
    data = bytearray(WHOLE)
    data[offset] ^= flip
    path.write_bytes(data)
    found = read([path])
    if offset < format.HEADER_SIZE:
        assert found.problems
    else:
        assert len(found.left()) >= 2
        assert found.damaged <= 1
    assert all(state in ENTRIES for _, state in found.states(found.left()))


@any_input
@given(offset=st.integers(format.HEADER_SIZE, len(APART) - 1), flip=st.integers(1, 255))
def test_a_damaged_byte_of_an_end_apart_leaves_the_span_open_and_one_of_its_start_costs_it(
    tmp_path: Path, offset: int, flip: int
) -> None:
    path = tmp_path / "1.journal"
    data = bytearray(APART)
    data[offset] ^= flip
    path.write_bytes(data)
    found = read([path])
    states = [state for _, state in found.states(found.left())]
    assert states in ([STARTED], [])
    assert (states == [STARTED]) == (offset >= len(content(STARTED)))
    assert not found.problems


@any_input
@given(data=st.binary(max_size=2000), is_sidecar=st.booleans())
def test_nothing_in_a_file_makes_reading_it_fail(tmp_path: Path, data: bytes, is_sidecar: bool) -> None:
    path = tmp_path / "1.journal"
    path.write_bytes(WHOLE + data + WHOLE)
    found = read([] if is_sidecar else [path], [path] if is_sidecar else [])
    assert len(list(found.states(found.left()))) == 3


def test_who_wrote_files_stands_at_their_beginning(place: Path, tmp_path: Path) -> None:
    journals.write(place, [span(1)], [span(2)], owner=Owner(7, "run"), room=2**20)
    [dead] = Place(place).dead()
    assert owner_of(dead.segments()) == Owner(7, "run")
    dead.segments()[0].write_text("damaged")
    assert owner_of(dead.segments()) == Owner(7, "run")
    shutil.rmtree(place)
    assert owner_of([tmp_path / "nothing"]) is None


def test_a_hundred_thousand_spans_take_seconds_and_little_memory(place: Path) -> None:
    files = [
        [
            record
            for number in range(first, first + 10_000)
            for record in (span(number, parent=1, attributes={"text": "x" * 500}, end=number + 1), Accepted(number, 0))
        ]
        for first in range(2, 100_002, 10_000)
    ]
    journals.write(place, *files)
    del files
    [dead] = Place(place).dead()
    segments = dead.segments()
    began = time.monotonic()
    found = read(segments)
    assert time.monotonic() - began < 20
    assert len(found.left()) == 100_000
    tracemalloc.start()
    try:
        again = read(segments[:1])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(again.left()) == 10_000
    assert kept < 10_000 * 500
