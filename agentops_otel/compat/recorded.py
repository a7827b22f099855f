"""What a program has recorded in each session, counted: the totals of a session do not tell it from other spans."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ..sessions.by_identity import ByIdentity
from ..sessions.handle import Session
from ..sessions.record import Record

ACTIONS = ("actions",)

_turns: dict[int, threading.RLock] = {}
"""Who may count, by the process: in a forked child, a lock may be held by a thread that is not there."""

_counts: ByIdentity[Record, Counter[tuple[str, ...]]] = ByIdentity()


@contextmanager
def counts_of(session: Session) -> Iterator[Counter[tuple[str, ...]]]:
    """The counts of a session, for one thread at a time."""
    with _turns.setdefault(os.getpid(), threading.RLock()):
        counts = _counts.get(session._record)
        if counts is None:
            _counts[session._record] = counts = Counter()
        yield counts


def count_action(session: Session | None) -> None:
    if session is not None:
        with counts_of(session) as counts:
            counts[ACTIONS] += 1
