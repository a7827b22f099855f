"""The regular end of the process."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable


class AtExit:
    """Calls ``job()`` when the interpreter exits, before what was registered earlier.

    Exit callbacks run last in, first out, and a provider registers its shutdown when it is made: `arm` again
    whenever a provider is met for the first time, or the exporters are closed before the sessions end.
    """

    def __init__(self, job: Callable[[], object]) -> None:
        self._job = job

    def arm(self) -> None:
        self.disarm()
        atexit.register(self._run)

    def disarm(self) -> None:
        atexit.unregister(self._run)

    def _run(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # the user does not want to wait for the exporters
            self._job()
