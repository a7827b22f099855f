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
        self._is_registered = False
        self._finalizer: Any = None

    def arm(self) -> None:
        """Registers the job, if this process is such a child, or as soon as it has become one."""
        util = sys.modules.get("multiprocessing.util")
        if util is None:
            return
        # Before it runs its target, a child, however it was started, drops all finalizers and then calls what is
        # registered here.
        if not self._is_registered:
            self._is_registered = True
            util.register_after_fork(self, MultiprocessingChild._register)
        self._register()

    def in_child_after_fork(self) -> None:
        self._finalizer = None  # one of the parent is not run here
        self.arm()

    def _register(self) -> None:
        process: Any = sys.modules["multiprocessing.process"]
        util: Any = sys.modules["multiprocessing.util"]
        is_child = process.parent_process() is not None
        if is_child and (self._finalizer is None or not self._finalizer.still_active()):
            # Any priority above none makes it run before the child's own children are joined.
            self._finalizer = util.Finalize(None, self._job, exitpriority=100)
