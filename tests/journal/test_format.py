"""Records in a file: what is whole is found, whatever happened to the bytes around it."""

from __future__ import annotations

import mmap
import struct
from itertools import pairwise
from zlib import adler32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.journal import format

MARK = format.framed(b"")[:4]

some_payloads = st.lists(st.binary(max_size=40) | st.just(MARK) | st.just(b"\0" * 9), max_size=6)


def journal(payloads: list[bytes]) -> bytes:
    """A file of these records."""
    return format.header() + b"".join(map(format.framed, payloads))


def read(data: bytes) -> list[bytes]:
    return [payload for _, payload in format.payloads(data)]


def ends(payloads: list[bytes]) -> list[int]:
    """Where the header and each record of such a file ends."""
    found = [format.HEADER_SIZE]
    for payload in payloads:
        found.append(found[-1] + format.FRAME_SIZE + len(payload))
    return found


def record(payload: bytes, *, length: int | None = None, checksum: int | None = None) -> bytes:
    """A record that may say something wrong of itself."""
    length = len(payload) if length is None else length
    return MARK + struct.pack("<II", length, adler32(payload) if checksum is None else checksum) + payload


@given(some_payloads)
def test_what_was_written_is_read(payloads: list[bytes]) -> None:
    data = journal(payloads)
    assert read(data) == payloads
    assert [format.payload_at(data, offset) for offset, _ in format.payloads(data)] == payloads


@given(some_payloads)
def test_any_prefix_has_a_prefix_of_the_records(payloads: list[bytes]) -> None:
    data = journal(payloads)
    limits = ends(payloads)
    for cut in range(format.HEADER_SIZE, len(data) + 1):
        assert read(data[:cut]) == payloads[: sum(limit <= cut for limit in limits[1:])]


@given(some_payloads, st.integers(0, 200))
def test_a_record_that_is_torn_costs_only_itself(payloads: list[bytes], left: int) -> None:
    # The death of its writer in the middle of a copy: the rest is zeros, and then whatever comes.
    torn = record(bytes(range(1, 201)))[: format.FRAME_SIZE + left]
    zeros = bytes(200 - left)
    whole = [bytes(range(1, 201))] if left == 200 else []
    assert read(journal(payloads) + torn + zeros) == payloads + whole
    assert read(journal(payloads) + torn + zeros + format.framed(b"next")) == [*payloads, *whole, b"next"]


@given(some_payloads.filter(bool), st.data())
def test_any_byte_that_is_changed_costs_at_most_the_record_it_is_in(payloads: list[bytes], data: st.DataObject) -> None:
    before = journal(payloads)
    offset = data.draw(st.integers(format.HEADER_SIZE, len(before) - 1))
    change = data.draw(st.integers(1, 255))
    after = bytearray(before)
    after[offset] ^= change
    [hit] = [index for index, (start, end) in enumerate(pairwise(ends(payloads))) if start <= offset < end]
    assert read(bytes(after)) == payloads[:hit] + payloads[hit + 1 :]


@given(some_payloads, st.binary(max_size=300), some_payloads)
def test_foreign_bytes_between_records_cost_none_of_them(
    before: list[bytes], foreign: bytes, after: list[bytes]
) -> None:
    found = read(journal(before) + foreign + b"".join(map(format.framed, after)))
    assert found[: len(before)] == before
    assert found[len(found) - len(after) :] == after


@given(st.binary(max_size=2000))
def test_random_bytes_have_no_records(data: bytes) -> None:
    with pytest.raises(format.NotAJournal):
        format.payloads(data)
    assert read(format.header() + data) == []


@pytest.mark.parametrize("length", [1, 2**24, 2**24 + 1, 2**31, 2**32 - 1])
def test_a_length_that_goes_beyond_the_file_is_damage(length: int) -> None:
    data = format.header() + record(b"", length=length) + format.framed(b"next")
    assert read(data) == [b"next"]


def test_a_length_beyond_the_limit_is_damage_where_the_file_has_so_many_bytes() -> None:
    payload = bytes(format.MOST_BYTES + 1)
    assert read(format.header() + record(payload[1:]) + format.framed(b"next")) == [payload[1:], b"next"]
    assert read(format.header() + record(payload) + format.framed(b"next")) == [b"next"]


@pytest.mark.parametrize(
    "foreign", [b"", b"\0" * 100, b"#!/bin/sh\nexit 1\n", format.header()[:-1], b"SQLite format 3\0"]
)
def test_a_file_of_something_else_is_no_journal(foreign: bytes) -> None:
    with pytest.raises(format.NotAJournal):
        format.payloads(foreign)


@pytest.mark.parametrize("version", [0, format.VERSION - 1, format.VERSION + 1, 2**32 - 2])
def test_a_file_of_another_version_is_not_read_and_the_error_names_both(version: int) -> None:
    data = format.header()[:-4] + struct.pack("<I", version) + format.framed(b"what this means is not known")
    with pytest.raises(format.NotAJournal, match=rf"version {version}, and this is version {format.VERSION}$"):
        format.payloads(data)


def test_nothing_counts_in_a_file_that_is_about_to_be_emptied() -> None:
    assert read(format.header(format.EMPTY) + format.framed(b"what this says is over")) == []


def test_a_mapped_file_is_read_as_bytes_are() -> None:
    data = journal([b"one", b"two"])
    with mmap.mmap(-1, 1 << 20) as mapped:
        mapped[: len(data)] = data
        assert [payload for _, payload in format.payloads(mapped)] == [b"one", b"two"]
        mapped[format.HEADER_SIZE] ^= 1
        assert [payload for _, payload in format.payloads(mapped)] == [b"two"]
