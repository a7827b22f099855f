"""Threads of this package: what they inherit, and which signals they can take when."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.spans import Spans

import agentops_otel as ao
from agentops_otel.own_threads import start_thread

KILLING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def mask() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, []))


def test_belongs_to_no_session(spans: Spans) -> None:
    found: list[ao.Session | None] = []
    with ao.session():
        start_thread(lambda: found.append(ao.current_session()), "here").join()
    assert found == [None]


def test_begins_and_ends_deaf_and_does_its_job_as_who_started_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    begins: list[set[int]] = []
    works: list[set[int]] = []
    ends: list[set[int]] = []
    start, run = threading.Thread.start, threading.Thread.run

    def note_start(thread: threading.Thread) -> None:
        begins.append(mask())  # what the thread inherits
        start(thread)

    def note_run(thread: threading.Thread) -> None:
        run(thread)
        ends.append(mask())

    monkeypatch.setattr(threading.Thread, "start", note_start)
    monkeypatch.setattr(threading.Thread, "run", note_run)
    before = mask()
    start_thread(lambda: works.append(mask()), "here").join()
    assert begins == ends == [before | KILLING]
    assert works == [before]
    assert mask() == before


def test_leaves_the_signals_of_its_starter_alone_where_none_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = mask()
    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError, match="new thread"):
        start_thread(lambda: None, "here")
    assert mask() == before


def test_is_started_by_a_thread_that_hears_less() -> None:
    def begin() -> set[int]:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        found: list[set[int]] = []
        start_thread(lambda: found.append(mask()), "here").join()
        return found[0]

    with ThreadPoolExecutor(1) as pool:
        assert signal.SIGTERM in pool.submit(begin).result()
