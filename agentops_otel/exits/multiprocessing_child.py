"""The end of a ``multiprocessing`` child, which runs no ``atexit`` callbacks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class MultiprocessingChild:
    """Calls ``job()`` when a ``multiprocessing`` child returns from its target.

    Such a child ends by ``os._exit`` after running the finalizers of `multiprocessing.util`. Does not import
    `multiprocessing`: in a child of it, it is there.
    """

    def __init__(self, job: Callable[[], object]) -> None:
        self._job = job
        self._finalizer: Any = None

    def arm(self) -> None:
        """Registers the job, if this process is such a child and it is not registered."""
        process = sys.modules.get("multiprocessing.process")
        util = sys.modules.get("multiprocessing.util")
        if process is None or util is None or process.parent_process() is None:
            return
        if self._finalizer is None or not self._finalizer.still_active():
            # Any priority above none makes it run before the child's own children are joined.
            self._finalizer = util.Finalize(None, self._job, exitpriority=100)

    def in_child_after_fork(self) -> None:
        self._finalizer = None
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            # Right after this, a multiprocessing child drops all finalizers and calls what is registered here.
            util.register_after_fork(self, MultiprocessingChild.arm)
