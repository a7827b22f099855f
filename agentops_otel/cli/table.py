"""Many sessions as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from .read import StoredSession
from .text import clean, duration, moment
from .tree import reason, state


def session_table(sessions: Iterable[StoredSession]) -> Table:
    """A line for each session, in the order given. Only a narrow terminal shortens ids and names."""
    table = Table(box=None, pad_edge=False)
    table.add_column("id", style="cyan", overflow="ellipsis")
    table.add_column("name", overflow="ellipsis")
    table.add_column("state", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("started", no_wrap=True)
    table.add_column("duration", no_wrap=True, justify="right")
    table.add_column("spans", no_wrap=True, justify="right")
    for session in sessions:
        table.add_row(
            Text(clean(session.id), no_wrap=True),
            Text(clean(session.name), no_wrap=True),
            state(session),
            Text(reason(session)),
            moment(session.root.start),
            duration(session.root.duration),
            str(len(session)),
        )
    return table
