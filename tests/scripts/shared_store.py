"""Sessions of several processes, which share a database of what is known of them."""

import os
import sqlite3
import sys
import threading
from collections.abc import Mapping

import _setup  # noqa: F401

import agentops_otel as ao

database, how = sys.argv[1:]


class Store:
    def __init__(self) -> None:
        self._execute("CREATE TABLE IF NOT EXISTS sessions (id TEXT, traceparent TEXT, baggage TEXT)")

    def put(self, session_id: str, carrier: Mapping[str, str]) -> None:
        if how == "hangs":
            threading.Event().wait()
        if how == "is_slow":
            threading.Event().wait(0.5)
        self._execute("INSERT INTO sessions VALUES (?, ?, ?)", session_id, carrier["traceparent"], carrier["baggage"])

    def get(self, session_id: str) -> Mapping[str, str] | None:
        rows = self._execute("SELECT traceparent, baggage FROM sessions WHERE id = ? ORDER BY rowid DESC", session_id)
        return dict(zip(("traceparent", "baggage"), rows[0], strict=True)) if rows else None

    def _execute(self, statement: str, *values: str) -> list[tuple[str, str]]:
        with sqlite3.connect(database) as connection:
            rows: list[tuple[str, str]] = connection.execute(statement, values).fetchall()
        connection.close()
        return rows


ao.configure(store=Store())
if how in ("starts", "is_slow"):
    with ao.session("agent", id="first", conversation_id="c"):
        pass
elif how == "continues":
    with ao.session("next", previous_id="first"):
        pass
elif how == "forks":
    with ao.session(id="first"):
        pass
    child = os.fork()
    with ao.session(id="child" if child == 0 else "second"):
        pass
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
elif how == "scores":
    ao.record_score("first", "helpful", 0.5)
elif how == "hangs":
    for number in range(3):
        with ao.session(f"agent {number}"):
            pass
    held = ao.start_session("held")
    ao.start_session("dropped")
