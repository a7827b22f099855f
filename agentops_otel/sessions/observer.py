"""Who is told of sessions."""

from __future__ import annotations

from typing import Protocol

from .record import Record
from .state import Ending


class Observer(Protocol):
    """Told of sessions on the thread that starts or ends them; must be quick and may raise nothing."""

    def session_started(self, record: Record) -> None: ...

    def session_ended(self, record: Record, ending: Ending, end_time: int) -> None: ...
