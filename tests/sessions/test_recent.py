"""Sessions that continue others: known by their id in this process, and by the user's store in others."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from support.deaths import COMPLETED, GARBAGE_COLLECTED, PROCESS_EXIT, Deaths
from support.other_signals import Logs, said_by
from support.spans import Spans, attributes, context_of, forget_recent, poll

import agentops_otel as ao
from agentops_otel import shield
from agentops_otel.runtime import runtime
from agentops_otel.sessions.recent import REMEMBERED

CONVERSATION, PREVIOUS = "gen_ai.conversation.id", "session.previous_id"
CARRIER = {
    "traceparent": f"00-{0xA0A0:032x}-{0xB0B0:016x}-01",
    "baggage": "session.id=first,gen_ai.conversation.id=c,user.id=u",
}
"""Of a session of another process."""


class Store:
    """Keeps what it is told, and tells it to everybody."""

    def __init__(self, **known: Any) -> None:
        self.known: dict[str, Any] = known
        self.threads: list[threading.Thread] = []

    def put(self, session_id: str, carrier: Mapping[str, str]) -> None:
        self.threads.append(threading.current_thread())
        self.known[session_id] = carrier

    def get(self, session_id: str) -> Any:
        found = self.known.get(session_id)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(autouse=True)
def _without_a_store() -> Iterator[None]:
    yield
    runtime.registry.recent.store = None
    forget_recent()


def link_to_previous(root: ReadableSpan) -> trace.SpanContext | None:
    """The root of the session that this one continues, as its one link says."""
    found = [link for link in root.links if link.attributes]
    assert len(found) <= 1
    for link in found:
        assert link.attributes == {"session.id": attributes(root)[PREVIOUS]}
    return found[0].context if found else None


class TestById:
    def test_a_session_continues_another(self, spans: Spans) -> None:
        with Logs().in_use() as logs:
            with ao.session("first", conversation_id="c") as first:
                pass
            with ao.session("second", previous_id=first.id) as second:
                assert second.conversation_id == "c"
                spans.tracer.start_span("step").end()
        root = spans.by_name("session second")
        assert attributes(root)[PREVIOUS] == first.id
        assert attributes(root)[CONVERSATION] == attributes(spans.by_name("step"))[CONVERSATION] == "c"
        assert PREVIOUS not in attributes(spans.by_name("step"))
        assert link_to_previous(root) == context_of(spans.by_name("session first"))
        for name in ("session.start", "session.end"):
            before, after = logs.events(name)
            assert PREVIOUS not in said_by(before)
            assert (said_by(after)[PREVIOUS], said_by(after)[CONVERSATION]) == (first.id, "c")

    def test_it_keeps_the_conversation_that_was_given(self, spans: Spans) -> None:
        with ao.session(conversation_id="c") as first:
            pass
        with ao.session(previous_id=first.id, conversation_id="own") as second:
            assert second.conversation_id == "own"
        assert link_to_previous(spans.all()[1]) is not None

    def test_it_has_no_user_but_its_own(self, spans: Spans) -> None:
        with ao.session(user_id="u") as first:
            pass
        with ao.session("second", previous_id=first.id):
            pass
        assert "user.id" not in attributes(spans.by_name("session second"))

    def test_a_conversation_that_was_learned_is_continued(self, spans: Spans) -> None:
        with ao.session() as first:
            spans.tracer.start_span("chat", attributes={CONVERSATION: "c"}).end()
        assert ao.start_session(previous_id=first.id).conversation_id == "c"
        ao.end_all_sessions()

    def test_an_open_session_may_be_continued(self, spans: Spans) -> None:
        with ao.session("first", conversation_id="c") as first, ao.session("second", previous_id=first.id) as second:
            assert first.is_open
            assert second.conversation_id == "c"
        root = spans.by_name("session second")
        assert link_to_previous(root) == context_of(spans.by_name("session first"))

    def test_an_id_that_is_not_known_is_written_all_the_same(self, spans: Spans) -> None:
        with ao.session(previous_id="unknown") as session:
            assert session.conversation_id is None
        assert attributes(spans.root())[PREVIOUS] == "unknown"
        assert spans.root().links == ()

    def test_each_call_of_a_decorated_function_looks_anew(self, spans: Spans) -> None:
        @ao.session("next", previous_id="first")
        def work() -> None:
            pass

        work()
        with ao.session(id="first"):
            pass
        work()
        before, after = (root for root in spans.roots() if root.name == "session next")
        assert link_to_previous(before) is None
        assert link_to_previous(after) is not None

    def test_the_latest_of_an_id_is_the_one(self, spans: Spans) -> None:
        for conversation in ("old", "new"):
            with ao.session(id="same", conversation_id=conversation):
                pass
        with ao.session(previous_id="same") as session:
            assert session.conversation_id == "new"

    def test_without_an_sdk_it_changes_nothing(self) -> None:
        session = ao.start_session(previous_id="first")
        assert not session.is_open

    def test_only_the_latest_are_remembered(self, spans: Spans) -> None:
        held = ao.start_session(id="held", conversation_id="c")
        again = [ao.start_session(id="again") for _ in range(2)]
        last = 2 * REMEMBERED - 1
        for number in range(last + 1):
            if number == last - REMEMBERED // 2:
                again.append(ao.start_session(id="again", conversation_id="c"))
            with ao.session(id=f"{number}"):
                pass
        recent = runtime.registry.recent
        assert REMEMBERED <= len(recent._young) + len(recent._old) < 2 * REMEMBERED
        conversations = {}
        for id in ("0", f"{last - REMEMBERED + 2}", f"{last}", "held", "again"):
            with ao.session(f"after {id}", previous_id=id) as session:
                conversations[id] = session.conversation_id
        assert conversations == {
            **dict.fromkeys(("0", f"{last - REMEMBERED + 2}", f"{last}")),
            "held": "c",
            "again": "c",
        }
        assert link_to_previous(spans.by_name("session after 0")) is None
        for number in (last - REMEMBERED + 2, last):
            assert link_to_previous(spans.by_name(f"session after {number}")) is not None
        held.end()
        for session in again:
            session.end()


class TestByCarrier:
    def test_of_another_process_a_session_continues_it(self, spans: Spans) -> None:
        with ao.session(previous_id=CARRIER) as session:
            assert session.conversation_id == "c"
        root = spans.root()
        assert attributes(root)[PREVIOUS] == "first"
        assert link_to_previous(root) == trace.SpanContext(
            0xA0A0, 0xB0B0, is_remote=True, trace_flags=trace.TraceFlags(1)
        )
        assert root.parent is None

    def test_without_a_trace_gives_what_it_says(self, spans: Spans) -> None:
        with ao.session(previous_id={"BAGGAGE": CARRIER["baggage"]}) as session:
            assert session.conversation_id == "c"
        assert attributes(spans.root())[PREVIOUS] == "first"
        assert spans.root().links == ()

    def test_of_a_session_here_is_as_good_as_its_id(self, spans: Spans) -> None:
        with ao.session("first", conversation_id="c") as first:
            pass
        with ao.session("second", previous_id=first.carrier()):
            pass
        root, linked = spans.by_name("session second"), context_of(spans.by_name("session first"))
        found = link_to_previous(root)
        assert found is not None
        assert (found.trace_id, found.span_id) == (linked.trace_id, linked.span_id)

    def test_really_of_another_process(self, deaths: Deaths) -> None:
        carrier = deaths.run("continued").stdout.strip()
        died = deaths.run("continued", carrier)
        assert died.quiet == (0, "")
        first, second = died.session(COMPLETED), died.session(COMPLETED, name="next")
        assert second.attributes[PREVIOUS] == "first"
        assert second.attributes[CONVERSATION] == "c"
        assert [(link.span_id, link.attributes) for link in second.links] == [(first.span_id, {"session.id": "first"})]
        for name in ("session.start", "session.end"):
            assert died.event(name, second).attributes[PREVIOUS] == "first"


class TestStore:
    def test_is_told_of_every_session_on_a_thread_of_its_own(self, spans: Spans) -> None:
        store = Store()
        ao.configure(store=store)
        with ao.session(id="s", conversation_id="c") as session:
            poll(lambda: store.known)
            assert store.known == {"s": session.carrier()}
        assert threading.current_thread() not in store.threads
        assert runtime.worker._thread not in store.threads

    def test_is_told_of_what_is_learned_later(self, spans: Spans) -> None:
        store = Store()
        ao.configure(store=store)
        with ao.session(id="s"):
            spans.tracer.start_span("chat", attributes={CONVERSATION: "c"}).end()
            poll(lambda: "gen_ai.conversation.id=c" in store.known.get("s", {}).get("baggage", ""))

    def test_is_not_told_of_other_baggage(self, spans: Spans) -> None:
        store = Store()
        ao.configure(store=store)
        with ao.join_session(CARRIER | {"baggage": CARRIER["baggage"] + ",secret=1"}), ao.session(id="s"):
            poll(lambda: store.known)
        assert store.known["s"]["baggage"] == "session.id=s"

    def test_is_not_told_of_sessions_of_others(self, spans: Spans) -> None:
        store = Store()
        ao.configure(store=store)
        with ao.join_session({"traceparent": CARRIER["traceparent"], "baggage": "session.id=theirs"}):
            spans.tracer.start_span("chat", attributes={CONVERSATION: "c"}).end()
        with ao.session(id="mine"):
            poll(lambda: store.known)
        assert list(store.known) == ["mine"]
        with ao.session("next", previous_id="theirs"):
            pass
        assert link_to_previous(spans.by_name("session next")) is None

    def test_is_asked_for_what_is_not_known_here(self, spans: Spans) -> None:
        ao.configure(store=Store(first=CARRIER))
        with ao.session(previous_id="first") as session:
            assert session.conversation_id == "c"
        found = link_to_previous(spans.root())
        assert found is not None
        assert found.trace_id == 0xA0A0

    @pytest.mark.parametrize(
        "garbage",
        [
            ValueError("of the store"),
            1,
            "text",
            b"bytes",
            [],
            dict,
            {},
            {"traceparent": CARRIER["traceparent"]},
            {"traceparent": 1, "baggage": None},
            {"baggage": "session.id=another"},
            {**CARRIER, "baggage": "session.id=another,gen_ai.conversation.id=theirs"},
        ],
        ids=repr,
    )
    def test_that_raises_or_knows_only_garbage_costs_no_session(
        self, spans: Spans, garbage: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shield, "reraise", False)
        ao.configure(store=Store(first=garbage))
        with ao.session(previous_id="first") as session:
            assert session.conversation_id is None
        assert attributes(spans.root())[PREVIOUS] == "first"
        assert spans.root().links == ()

    def test_that_cannot_be_told_costs_no_session(self, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
        told = threading.Event()

        class Full(Store):
            def put(self, session_id: str, carrier: Mapping[str, str]) -> None:
                if session_id == "second":
                    told.set()
                raise OSError("disk full")

        monkeypatch.setattr(shield, "reraise", False)
        ao.configure(store=Full())
        for id in ("first", "second"):
            with ao.session(id=id):
                pass
        assert told.wait(10)
        assert len(spans.roots()) == 2

    def test_that_hangs_keeps_nobody_waiting(self, spans: Spans) -> None:
        go_on = threading.Event()

        class Hanging(Store):
            def put(self, session_id: str, carrier: Mapping[str, str]) -> None:
                go_on.wait(60)
                super().put(session_id, carrier)

        store = Hanging()
        ao.configure(store=store)
        try:
            for number in range(3 * REMEMBERED):
                with ao.session(id=f"{number}"):
                    pass
            assert ao.flush(10) is True
            assert len(spans.roots()) == 3 * REMEMBERED
        finally:
            go_on.set()
        poll(lambda: f"{3 * REMEMBERED - 1}" in store.known)
        # The first one is being told when the others come; of those the latest are kept.
        assert list(store.known)[1:] == [f"{number}" for number in range(2 * REMEMBERED, 3 * REMEMBERED)]

    @pytest.mark.parametrize("how", ["starts", "is_slow"])
    def test_brings_sessions_of_several_processes_together(self, deaths: Deaths, tmp_path: Path, how: str) -> None:
        database = str(tmp_path / "sessions")
        assert deaths.run("shared_store", database, how).quiet == (0, "")
        died = deaths.run("shared_store", database, "continues")
        assert died.quiet == (0, "")
        first, second = died.session(COMPLETED), died.session(COMPLETED, name="next")
        assert (second.attributes[PREVIOUS], second.attributes[CONVERSATION]) == ("first", "c")
        assert [(link.span_id, link.attributes) for link in second.links] == [(first.span_id, {"session.id": "first"})]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
    def test_is_told_once_of_what_a_forked_child_inherits(self, deaths: Deaths, tmp_path: Path) -> None:
        database = tmp_path / "sessions"
        assert deaths.run("shared_store", str(database), "forks").quiet == (0, "")
        with closing(sqlite3.connect(database)) as connection:
            stored = connection.execute("SELECT baggage FROM sessions ORDER BY baggage").fetchall()
        assert stored == [("session.id=child",), ("session.id=first",), ("session.id=second",)]

    def test_that_hangs_loses_no_session_at_the_exit(self, deaths: Deaths, tmp_path: Path) -> None:
        env = {"OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "2"}
        died = deaths.run("shared_store", str(tmp_path / "sessions"), "hangs", env=env)
        assert died.quiet == (0, "")
        for number in range(3):
            died.session(COMPLETED, name=f"agent {number}")
        died.session(PROCESS_EXIT, name="held")
        died.session(GARBAGE_COLLECTED, name="dropped")
