"""Sessions and events, as programs before 0.4 start, end and record them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import StatusCode
from support.spans import Spans, attributes, ending

import agentops_otel as ao
import agentops_otel.compat as agentops
from agentops_otel.testing.isolation import settle


class TestSessions:
    def test_one_that_is_thrown_away_goes_on_until_it_is_ended(self, spans: Spans) -> None:
        agentops.start_session(tags=["a"])
        gc.collect()
        settle()
        assert spans.all() == []
        agentops.end_session("Success")
        assert ending(spans.root()) == ("success", "completed", "OK")
        assert attributes(spans.root())["agentops.tags"] == ("a",)

    @pytest.mark.parametrize(
        ("said", "state"),
        [
            ((), "success"),
            (("Fail",), "error"),
            ((StatusCode.ERROR,), "error"),
            ((agentops.UNSET,), "unknown"),
            ((None,), "success"),
        ],
    )
    def test_end_as_it_is_said(self, spans: Spans, said: tuple[Any, ...], state: str) -> None:
        agentops.start_session()
        agentops.end_session(*said)
        assert ending(spans.root())[0] == state

    def test_end_with_words_of_frameworks(self, spans: Spans) -> None:
        agentops.start_session()
        agentops.end_session(end_state="Success", end_state_reason="Finished Execution", is_auto_end=True)
        assert ending(spans.root()) == ("success", "completed", "OK")
        assert attributes(spans.root())["agentops.legacy.end_state_reason"] == "Finished Execution"

    def test_end_with_words_in_their_old_order(self, spans: Spans) -> None:
        agentops.start_session().end_session("Fail", "it was late", "https://example.com/video")
        agentops.start_session()
        agentops.end_session("Success", "it is done")
        agentops.start_session()
        agentops.end_session("Success", None)
        first, second, third = map(attributes, spans.roots())
        assert ending(spans.roots()[0])[0] == "error"
        assert first["agentops.legacy.end_state_reason"] == "it was late"
        assert first["agentops.legacy.video"] == "https://example.com/video"
        assert second["agentops.legacy.end_state_reason"] == "it is done"
        assert not [name for name in third if name.startswith("agentops.legacy")]

    def test_end_with_words_that_cannot_be_encoded(self, spans: Spans) -> None:
        agentops.start_session().end_session("\ud800", "\ud800")
        assert encode_spans(spans.all()).SerializeToString()
        assert attributes(spans.root())["agentops.legacy.end_state_reason"] == "?"

    @pytest.mark.parametrize(("said", "environment"), [(True, ""), (None, "true"), (True, "false")])
    def test_no_framework_ends_one_if_the_user_does_not_want_it(
        self, spans: Spans, monkeypatch: pytest.MonkeyPatch, said: bool | None, environment: str
    ) -> None:
        monkeypatch.setenv("AGENTOPS_SKIP_AUTO_END_SESSION", environment)
        session = agentops.init(skip_auto_end_session=said)
        assert session is not None
        agentops.end_session(end_state="Success", is_auto_end=True)
        assert session.span.is_recording()
        agentops.end_session(end_state="Fail")
        assert ending(spans.root())[0] == "error"

    def test_a_given_one_ends_and_no_other(self, spans: Spans) -> None:
        outer, inner = agentops.start_session(), agentops.start_session()
        agentops.end_session(outer, end_state="Fail")
        assert ao.open_sessions() == [inner.trace_context.session]
        inner.end_session(end_state="Success")
        assert [ending(root)[0] for root in spans.roots()] == ["error", "success"]

    def test_each_end_ends_the_innermost(self, spans: Spans) -> None:
        sessions = [agentops.start_session() for _ in range(3)]
        for number in range(3):
            agentops.end_session("Success")
            assert len(ao.open_sessions()) == 2 - number
        ids = [attributes(root)["session.id"] for root in spans.roots()]
        assert ids == [session.session_id for session in reversed(sessions)]

    def test_all_end_at_once(self, spans: Spans) -> None:
        for _ in range(3):
            agentops.start_session()
        agentops.end_all_sessions()
        assert [ending(root) for root in spans.roots()] == [("success", "completed", "OK")] * 3

    def test_an_end_without_a_session_is_said(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        agentops.end_session("Success")
        assert "no session is open" in caplog.text

    def test_the_handle_has_what_it_had(self, spans: Spans) -> None:
        session = agentops.start_session()
        session.add_tags("one")
        session.add_tags(["two", "three"])
        assert session.create_agent(name="a", agent_id="b") == "b"
        assert session.create_agent("a") != session.create_agent("a")
        assert session.token is None
        assert session.span.is_recording()
        session.end_session()
        assert attributes(spans.root())["agentops.tags"] == ("one", "two", "three")

    def test_its_tags_can_be_replaced(self, spans: Spans) -> None:
        session = agentops.start_session(tags=["old"])
        session.set_tags(["a", "b"])
        agentops.end_session()
        agentops.start_session(tags=["old"])
        agentops.set_tags("c")
        agentops.add_tags("d")
        agentops.add_tags(["e", "c"])
        agentops.end_session()
        assert [attributes(root)["agentops.tags"] for root in spans.roots()] == [("a", "b"), ("c", "d", "e")]

    def test_tags_are_those_of_the_current_session_whoever_started_it(self, spans: Spans) -> None:
        @agentops.session
        def work() -> None:
            agentops.set_tags(["a"])
            agentops.add_tags("b")

        agentops.start_session()
        work()
        agentops.end_session()
        assert [attributes(root).get("agentops.tags") for root in spans.roots()] == [("a", "b"), None]

    def test_tags_without_a_session_are_said(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        agentops.add_tags(["a"])
        agentops.set_tags(["a"])
        assert caplog.text.count("no session is open") == 2

    def test_it_tells_what_it_has_consumed(self, spans: Spans) -> None:
        session = agentops.start_session()
        session.record(agentops.LLMEvent(model="m", cost=0.5))
        session.record(agentops.ToolEvent(name="t"))
        session.record(agentops.ActionEvent("clicked"))
        agentops.record_action("scrolled")(lambda: None)()
        agentops.record_function("typed")(lambda **of: None)(session=session)
        session.end_session("Success")
        analytics = session.get_analytics()
        assert [analytics[what] for what in ("LLM calls", "Tool calls", "Actions", "Errors")] == [1, 1, 3, 0]
        assert analytics["Duration"].endswith("s")
        assert float(analytics["Cost"]) >= 0
        assert session.get_analytics()["Duration"] == analytics["Duration"]

    def test_one_is_found_by_its_id_while_it_is_open(self, spans: Spans) -> None:
        session = agentops.start_session(inherited_session_id="other", config=None)
        found = agentops.get_session(session.session_id)
        assert found is not None
        assert found.trace_context is session.trace_context
        session.end_session()
        assert agentops.get_session(session.session_id) is agentops.get_session("none") is None

    @pytest.mark.parametrize("is_async", [False, True])
    def test_functions_are_called_in_it(self, spans: Spans, is_async: bool) -> None:
        def work(name: str) -> None:
            spans.tracer.start_span(name).end()

        async def later(name: str) -> None:
            work(name)

        sessions = [agentops.start_session(tags=[tag]) for tag in ("a", "b")]
        for number, session in enumerate(sessions):
            if is_async:
                asyncio.run(session.patch(later)(f"{number}"))
            else:
                session.patch(work)(f"{number}")
        agentops.end_all_sessions()
        for number, session in enumerate(sessions):
            assert attributes(spans.by_name(f"{number}"))["session.id"] == session.session_id


class TestTracking:
    def test_an_agent_is_one(self, spans: Spans) -> None:
        @agentops.track_agent(name="Researcher")
        class Agent:
            def step(self) -> str:
                return self.think()

            def think(self) -> str:
                return "done"

        @agentops.track_agent("Critic")
        def critic() -> None:
            pass

        @agentops.track_agent
        def writer() -> None:
            pass

        with agentops.start_trace("t"):
            assert Agent().step() == "done"
            critic()
            writer()
        assert spans.names() == ["invoke_agent Researcher", "invoke_agent Critic", "invoke_agent writer", "session t"]

    def test_a_tool_is_one(self, spans: Spans) -> None:
        @agentops.track_tool()
        def search() -> None:
            pass

        with agentops.start_trace("t"):
            search()
        assert spans.names() == ["execute_tool search", "session t"]


def test_what_cannot_be_stopped_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "agentops_otel")
    agentops.stop_instrumenting()
    assert "uninstrument()" in caplog.text
