"""What sessions know of the journal: that somebody may want to know how their spans are at any moment."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Protocol


class SpanKeeper(Protocol):
    """Told of the spans of sessions where they start and end; must be quick and may raise nothing."""

    @property
    def waiting(self) -> Container[int]:
        """Spans that have ended and are to be exported: of their end nobody need tell."""

    def started(self, span: Any, is_root: bool = False) -> None:
        """A span has started, with the ids of its session."""

    def changed(self, span: Any) -> None:
        """Something may have been written on an open span."""

    def ended(self, span_id: int) -> None:
        """A span is over."""
