"""Sessions and events, as programs before 0.4 start, end and record them."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import StatusCode
from support.spans import Spans, attributes, context_of, ending

import agentops_otel as ao
import agentops_otel.compat as agentops
from agentops_otel.compat import settings
from agentops_otel.compat.events import Event, EventType
from agentops_otel.runtime import runtime
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
        session.end_session("Success")
        analytics = session.get_analytics()
        assert (analytics["LLM calls"], analytics["Tool calls"], analytics["Errors"]) == (1, 1, 0)
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


class TestInit:
    def test_starts_the_session_of_the_whole_process_which_nobody_holds(self, spans: Spans) -> None:
        agentops.init()
        gc.collect()
        settle()
        current = ao.current_session()
        assert current is not None
        assert current.name == "default"
        agentops.end_session("Success")
        assert ending(spans.root()) == ("success", "completed", "OK")

    def test_gives_the_same_session_as_long_as_it_is_open(self, spans: Spans) -> None:
        first = agentops.init(trace_name="whole")
        assert agentops.init() is first
        agentops.end_session("Success")
        second = agentops.init()
        assert second is not None
        assert second is not first
        second.end_session()
        assert [root.name for root in spans.roots()] == ["session whole", "session whole"]

    def test_starts_none_where_none_is_wanted(self, spans: Spans) -> None:
        assert agentops.init(auto_start_session=False) is None
        assert ao.open_sessions() == []

    @pytest.mark.parametrize(("said", "starts"), [("False", False), ("true", True), ("1", True)])
    def test_the_environment_says_whether_it_starts_one(
        self, spans: Spans, monkeypatch: pytest.MonkeyPatch, said: str, starts: bool
    ) -> None:
        monkeypatch.setenv("AGENTOPS_AUTO_START_SESSION", said)
        assert (agentops.init() is not None) is starts
        agentops.end_all_sessions()

    def test_tags_are_those_of_every_session(self, spans: Spans) -> None:
        agentops.init(default_tags=["a"], tags=["b"], auto_start_session=False)
        agentops.end_trace(agentops.start_trace("t", tags=["c", "a"]))

        @agentops.trace
        def run() -> None:
            pass

        run()
        assert [attributes(root)["agentops.tags"] for root in spans.roots()] == [("b", "a", "c"), ("b", "a")]

    def test_names_and_tags_of_the_environment_count(self, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AGENTOPS_TRACE_NAME", "from outside")
        monkeypatch.setenv("AGENTOPS_DEFAULT_TAGS", "x, y")
        agentops.init()
        agentops.end_session("Success")
        assert spans.root().name == "session from outside"
        assert attributes(spans.root())["agentops.tags"] == ("x", "y")

    def test_a_client_with_arguments_is_initialized(self, spans: Spans) -> None:
        client = agentops.Client(api_key="k", parent_key="p", tags=["a"], auto_start_session=True)
        assert client is agentops.get_client() is agentops.Client()
        assert client.initialized
        assert client.config.api_key == "k"
        assert client.get_current_jwt() is None
        client.add_tags(["b"])
        client.record(agentops.ToolEvent(name="search"))
        client.end_session("Success", "it is done")
        assert attributes(spans.root())["agentops.tags"] == ("a", "b")
        assert attributes(spans.root())["agentops.legacy.end_state_reason"] == "it is done"
        assert spans.by_name("execute_tool search").parent == context_of(spans.root())

    def test_a_client_is_initialized_with_what_it_was_told_before(self, spans: Spans) -> None:
        client = agentops.Client()
        client.configure(api_key="k", default_tags=["a"], auto_start_session=True)
        session = client.initialize()
        assert session is not None
        other = client.start_session(["b"], inherited_session_id="i")
        assert client.current_session_ids == [session.session_id, other.session_id]
        client.set_tags(["c"])
        client.end_session("Fail")
        client.end_session("Success")
        assert client.current_session_ids == []
        assert [attributes(root)["agentops.tags"] for root in spans.roots()] == [("c",), ("a",)]

    def test_what_only_made_sense_for_the_hosted_product_is_said_once(
        self, spans: Spans, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "agentops_otel")
        for _ in range(2):
            agentops.init(
                api_key="k",
                endpoint="https://api.agentops.ai",
                app_url="https://app.agentops.ai",
                log_session_replay_url=True,
                fail_safe=True,
                auto_start_session=False,
            )
        agentops.configure(api_key="k", max_queue_size=1)
        said = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
        assert sorted(line.partition(" ")[0] for line in said) == [
            "api_key",
            "app_url",
            "endpoint",
            "fail_safe",
            "log_session_replay_url",
            "max_queue_size",
        ]
        assert all("has no effect" in line for line in said)
        assert not [record for record in caplog.records if record.levelname == "WARNING"]

    def test_what_cannot_be_stopped_is_said(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "agentops_otel")
        agentops.stop_instrumenting()
        assert "uninstrument()" in caplog.text

    def test_what_is_not_known_is_said_and_does_not_raise(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "agentops_otel")
        agentops.init(auto_start_session=False, brand_new=1)
        assert "brand_new is not known" in caplog.text

    @pytest.mark.parametrize(
        "bad", [{"tags": 7}, {"default_tags": [1]}, {"span_names": 3}, {"exporter_endpoint": 7}, {"trace_name": 7}]
    )
    def test_arguments_of_a_wrong_type_are_refused_by_name(self, spans: Spans, bad: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match=next(iter(bad))):
            agentops.init(auto_start_session=False, **bad)
        with pytest.raises(ValueError, match="span_names"):
            agentops.configure(span_names="old")

    def test_the_session_is_the_one_to_be_ended_from_anywhere(self, spans: Spans) -> None:
        session = agentops.init()
        assert session is not None
        session.end_session(end_state="Fail")
        agentops.end_all_sessions()
        assert ending(spans.root())[0] == "error"
        assert settings.current.api_key is None


def report_by_client(spans: Spans, model: str, tokens: int) -> None:
    """A span as an instrumentation of a client writes it."""
    span = spans.tracer.start_span(f"chat {model}")
    span.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.response.model": model,
            "gen_ai.usage.input_tokens": tokens,
            "gen_ai.usage.output_tokens": 1,
        }
    )
    span.end()


class TestEvents:
    def test_a_call_of_a_model_is_a_span_that_counts(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            event = agentops.LLMEvent(
                prompt="secret", completion="answer", model="gpt-4o", prompt_tokens=5, completion_tokens=7, cost=0.25
            )
            assert agentops.record(event) is event
        span = spans.by_name("chat gpt-4o")
        assert span.parent == context_of(spans.root())
        found = attributes(span)
        assert (found["gen_ai.operation.name"], found["gen_ai.request.model"]) == ("chat", "gpt-4o")
        assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (5, 7)
        assert found["gen_ai.usage.total_cost"] == 0.25
        assert attributes(spans.root())["agentops.session.inference.calls"] == 1
        assert attributes(spans.root())["agentops.session.usage.output_tokens"] == 7
        assert "secret" not in str(found)

    @pytest.mark.parametrize(
        ("model", "tokens", "calls"),
        [
            ("gpt-4o", 5, 1),
            ("openai/gpt-4o-latest", 5, 1),
            ("gpt-4", 5, 2),
            ("gpt-4o-mini", 5, 2),
            ("gpt-4o", 6, 2),
            (None, 5, 2),
            (7, 5, 2),
        ],
    )
    def test_a_call_that_its_client_has_reported_too_counts_once(
        self, spans: Spans, model: Any, tokens: int, calls: int
    ) -> None:
        with agentops.start_trace("t"):
            report_by_client(spans, "gpt-4o-2024-08-06", 5)
            agentops.record(agentops.LLMEvent(model=model, prompt_tokens=tokens, completion_tokens=1))
        found = attributes(spans.root())
        assert found["agentops.session.inference.calls"] == calls
        assert found["agentops.session.usage.input_tokens"] == (5 if calls == 1 else 5 + tokens)

    def test_calls_of_two_clients_of_one_model_all_count(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            for _ in range(3):
                agentops.record(agentops.LLMEvent(model="m", prompt_tokens=2, completion_tokens=1))
                report_by_client(spans, "m", 2)
                agentops.record(agentops.LLMEvent(model="m", prompt_tokens=2, completion_tokens=1))
        assert attributes(spans.root())["agentops.session.inference.calls"] == 6

    def test_a_failed_call_is_told_even_if_its_client_has(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            report_by_client(spans, "m", 2)
            agentops.record(agentops.ErrorEvent(exception=ValueError("no"), trigger_event=agentops.LLMEvent(model="m")))
        assert len([span for span in spans.all() if span.name == "chat m"]) == 2

    def test_a_call_of_a_tool_is_a_span_that_counts(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            event = agentops.ToolEvent(name="search", params={"q": "x"})
            event.returns = ["found"]
            agentops.record(event)
        assert attributes(spans.by_name("execute_tool search"))["gen_ai.tool.name"] == "search"
        assert attributes(spans.root())["agentops.session.tool.calls"] == 1

    def test_any_other_action_is_a_task(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            for event in (
                agentops.ActionEvent(action_type="click"),
                agentops.ActionEvent("received user input"),
                Event(event_type="page"),
                agentops.ActionEvent(EventType.ACTION),
                Event(),
            ):
                agentops.record(event)
        tasks = [span for span in spans.all() if attributes(span).get("agentops.span.kind") == "task"]
        names = ["click", "received user input", "page", "action", "action"]
        assert [span.name for span in tasks] == [f"task {name}" for name in names]

    def test_what_fails_may_be_any_event(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            agentops.record(agentops.ErrorEvent(exception=ValueError("no"), trigger_event=Event(event_type="page")))
        assert attributes(spans.by_name("task page"))["error.type"] == "ValueError"

    def test_in_a_thread_that_knows_of_no_session_it_belongs_to_the_one_that_is_open(self, spans: Spans) -> None:
        def record_elsewhere() -> None:
            context = contextvars.Context()
            context.run(agentops.record, agentops.ToolEvent(name="search"))

        record_elsewhere()
        first = agentops.start_trace("first")
        record_elsewhere()
        second = agentops.start_trace("second")
        record_elsewhere()
        agentops.end_trace(second)
        agentops.end_trace(first)
        parents = [span.parent for span in spans.all() if span.name == "execute_tool search"]
        assert parents == [None, context_of(spans.by_name("session first")), None]

    def test_content_is_written_where_it_is_wanted(self, spans: Spans) -> None:
        runtime.set(content_on_spans=True)
        with agentops.start_trace("t"):
            agentops.record(agentops.ToolEvent(name="search", params={"q": "x"}, returns=["found"]))
            agentops.record(agentops.LLMEvent(prompt=[{"role": "user"}], completion="yes"))
            agentops.record(agentops.ActionEvent(params="p"))
        tool = attributes(spans.by_name("execute_tool search"))
        assert (tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == ('{"q":"x"}', '["found"]')
        model = attributes(spans.by_name("chat"))
        assert (model["agentops.input"], model["agentops.output"]) == ('{"prompt":[{"role":"user"}]}', '"yes"')
        assert attributes(spans.by_name("task action"))["agentops.input"] == '{"params":"p"}'

    def test_an_error_stands_on_what_failed(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            tool = agentops.ToolEvent(name="search")
            agentops.record(agentops.ErrorEvent(exception=ValueError("no"), trigger_event=tool))
        span = spans.by_name("execute_tool search")
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == "ValueError"
        assert [event.name for event in span.events] == ["exception"]
        assert ending(spans.root())[0] == "success"

    @pytest.mark.parametrize("trigger", [None, "a tool", agentops.ErrorEvent()])
    def test_an_error_of_nothing_stands_on_what_is_current(self, spans: Spans, trigger: Any) -> None:
        with agentops.start_trace("t"):
            agentops.record(agentops.ErrorEvent(error_type="RateLimit", details="slow down", trigger_event=trigger))
        [event] = spans.root().events
        assert event.attributes is not None
        assert (event.attributes["exception.type"], event.attributes["exception.message"]) == ("RateLimit", "slow down")

    def test_an_event_takes_whatever_a_model_answered(self, spans: Spans) -> None:
        event = agentops.LLMEvent("llms", {"a": 1}, prompt="p", total_tokens=12, prompt_tokens_details={"cached": 1})
        assert (event.event_type, event.params, event.prompt) == ("llms", {"a": 1}, "p")
        agentops.record(event)
        assert event.end_timestamp is not None

    def test_a_span_has_the_times_of_its_event(self, spans: Spans) -> None:
        event = agentops.ToolEvent(name="t", init_timestamp="2024-05-01T12:00:00+00:00")
        event.end_timestamp = "2024-05-01T12:00:02+00:00"
        agentops.record(event)
        span = spans.by_name("execute_tool t")
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.end_time - span.start_time == 2 * 10**9

    @pytest.mark.parametrize("wrong", ["9999-01-01T00:00:00+00:00", "1900-01-01T00:00:00+00:00", "once", 7])
    def test_a_time_that_cannot_be_exported_is_now(self, spans: Spans, wrong: Any) -> None:
        event = agentops.ToolEvent(name="t", init_timestamp=wrong)
        event.end_timestamp = wrong
        agentops.record(event)
        with agentops.start_trace("beside"):
            pass
        span, _ = spans.all()
        assert encode_spans(spans.all()).SerializeToString()
        assert span.start_time is not None
        assert abs(time.time_ns() - span.start_time) < 60 * 10**9

    @pytest.mark.parametrize("event", [None, 7, Event(), agentops.ToolEvent(init_timestamp="once")])
    def test_anything_can_be_recorded(self, spans: Spans, event: object) -> None:
        assert agentops.record(event) is event

    def test_a_session_records_its_own(self, spans: Spans) -> None:
        first, _ = agentops.start_session(), agentops.start_session()
        first.record(agentops.ToolEvent(name="t"))
        agentops.end_all_sessions()
        assert attributes(spans.by_name("execute_tool t"))["session.id"] == first.session_id


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
