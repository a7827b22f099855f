"""``os.fork``: the child inherits sessions that are not its own."""

from __future__ import annotations

import os
from collections.abc import Callable


class Fork:
    """Calls ``in_child()`` in every child that this process forks. Cannot be undone, so it is done once."""

    def __init__(self, in_child: Callable[[], object]) -> None:
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=in_child)
