"""What a program sees of its signals while they are watched; how it dies of them is in test_ways_of_dying.py."""

from __future__ import annotations

import inspect
import signal
import threading
from collections.abc import Iterator

import pytest

from agentops_otel.exits.signals import Signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs the signals of POSIX")


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Not armed yet; gives the signals back."""
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signals = Signals(lambda name: None)
    yield signals
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.disarm()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def own(number: int, frame: object) -> None:
    """A handler of the program."""


def test_a_handler_of_the_program_takes_the_place_of_ours_and_the_default_gives_it_back(signals: Signals) -> None:
    assert signals.arm()
    ours = signal.getsignal(signal.SIGTERM)
    assert callable(ours)
    assert signal.signal(signal.SIGTERM, own) is ours
    assert signal.getsignal(signal.SIGTERM) is own
    for default in (signal.SIG_DFL, int(signal.SIG_DFL), ours):
        assert signal.signal(signal.SIGTERM, default) is own
        assert signal.getsignal(signal.SIGTERM) is ours
        assert signal.signal(signal.SIGTERM, own) is ours
    assert signal.signal(signal.SIGTERM, signal.SIG_IGN) is own
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_other_signals_and_wrong_calls_are_as_ever(signals: Signals) -> None:
    before = inspect.signature(signal.signal)
    assert signals.arm()
    assert inspect.signature(signal.signal) == before
    assert signal.signal(signal.SIGUSR1, signal.SIG_DFL) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    for wrong in ((10_000, signal.SIG_DFL), ("TERM", signal.SIG_DFL), (signal.SIGTERM, "handler")):
        with pytest.raises((TypeError, ValueError)):
            signal.signal(*wrong)
    raised: list[BaseException] = []

    def elsewhere() -> None:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        except ValueError as error:
            raised.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "main thread" in str(raised)


def test_armed_on_another_thread_only_the_next_default_is_taken(signals: Signals) -> None:
    armed: list[bool] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: armed.append(signals.arm()))
        thread.start()
        thread.join()
    assert armed == [False, False]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, own)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert callable(signal.getsignal(signal.SIGTERM))
    assert signals.arm()


def test_disarmed_everything_is_as_it_was(signals: Signals) -> None:
    before = signal.signal
    for _ in range(3):
        threads = set(threading.enumerate())
        assert signals.arm()
        [listener] = set(threading.enumerate()) - threads
        signals.disarm()
        listener.join(10)
        assert not listener.is_alive()
        assert signal.signal is before
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_disarmed_under_somebody_elses_replacement_it_does_nothing_and_armed_again_it_works(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signals.arm()
    replacement = signal.signal
    monkeypatch.setattr(signal, "signal", lambda number, handler: replacement(number, handler))
    signals.disarm()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signals.arm()
    signal.signal(signal.SIGTERM, own)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert callable(signal.getsignal(signal.SIGTERM))
    monkeypatch.undo()
