"""An explicit ``provider.shutdown()`` while sessions are open."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any


class ProviderShutdown:
    """Calls ``job()`` before this provider's own shutdown.

    The provider shuts its processors down in the order in which they were added, and the exporters were there
    first: by the time our own processor is told, what it would end is ignored.
    """

    def __init__(self, provider: Any, job: Callable[[], object]) -> None:
        original = provider.shutdown

        @functools.wraps(original)
        def shutdown(*args: Any, **kwargs: Any) -> Any:
            job()
            return original(*args, **kwargs)

        provider.shutdown = shutdown
        self._provider = weakref.ref(provider)
        self._shutdown = weakref.ref(shutdown)

    def undo(self) -> None:
        """Gives the provider its own shutdown back, unless somebody has wrapped it again since."""
        provider = self._provider()
        if provider is not None and vars(provider).get("shutdown") is self._shutdown():
            del provider.shutdown
