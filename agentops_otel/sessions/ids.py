"""New session ids."""

from __future__ import annotations

import random
from collections.abc import Callable

_random = random.Random()
"""Our own generator: a program that seeds the global one must not get the same ids in every run. Not `os.urandom`,
which gives up the GIL and, beside a busy thread, waits milliseconds to get it back."""


def _random_id() -> str:
    """A random id of 128 bits, as 32 hex digits."""
    return _random.getrandbits(128).to_bytes(16, "big").hex()  # twice as fast as by a format


new_id: Callable[[], str] = _random_id
"""Gives the id of a session that is given none. `agentops_otel.testing` puts another function here."""


def in_child_after_fork() -> None:
    """The child must not give the ids that the parent gives next."""
    _random.seed()
