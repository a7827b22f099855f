"""New session ids."""

from __future__ import annotations

import random

_random = random.Random()
"""Our own generator: a program that seeds the global one must not get the same ids in every run. Not `os.urandom`,
which gives up the GIL and, beside a busy thread, waits milliseconds to get it back."""


def new_id() -> str:
    """A random id of 128 bits, as 32 hex digits."""
    return f"{_random.getrandbits(128):032x}"


def in_child_after_fork() -> None:
    """The child must not give the ids that the parent gives next."""
    _random.seed()
