"""`SessionSpanProcessor`, joined to the sessions of this process.

A module of its own because it needs the SDK, which a program that sets none up should not have to import.
"""

from __future__ import annotations

from .runtime import runtime
from .sessions.processor import TrackingProcessor


class SessionSpanProcessor(TrackingProcessor):
    """Tracks the open spans of sessions; ``provider.add_span_processor(SessionSpanProcessor())`` sets all up.

    Exports nothing, never waits, thread-safe. `configure` and the first session add one by themselves where the
    provider has none.
    """

    def __init__(self) -> None:
        super().__init__(runtime.registry)
        runtime.processor_added(self)

    def shutdown(self) -> None:
        super().shutdown()
        runtime.processor_gone(self)
