"""Where root spans come from: a TracerProvider as sessions see it."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import trace


class Source:
    """A TracerProvider that sessions are started with; shared by all of its sessions."""

    __slots__ = ("_attach", "is_attached", "tracer")

    def __init__(self, tracer: trace.Tracer, attach: Callable[[], object]) -> None:
        self.tracer = tracer
        self._attach = attach
        self.is_attached = False
        """Whether a session span processor is known to be on the provider."""

    def attach(self) -> None:
        """Puts a session span processor on the provider, unless there is one."""
        if not self.is_attached:
            self.is_attached = True
            self._attach()
