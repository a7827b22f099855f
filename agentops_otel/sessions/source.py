"""Where root spans come from: a TracerProvider as sessions see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from .registry import Registry


class Source:
    """A TracerProvider that sessions are started with; shared by all of its sessions."""

    __slots__ = ("_attach", "is_attached", "registry", "tracer")

    def __init__(self, registry: Registry, tracer: trace.Tracer, attach: Callable[[Source], object]) -> None:
        self.registry = registry
        self.tracer = tracer
        self._attach = attach
        self.is_attached = False
        """Whether a session span processor is known to be on the provider."""

    def attach(self) -> None:
        """Puts a session span processor on the provider, unless there is one."""
        if not self.is_attached:
            # Last, so that no other thread starts spans that nobody sees; two of them at once add two, which is fine.
            self._attach(self)
            self.is_attached = True
