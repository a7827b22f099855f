"""Events, as programs before 0.4 record them: spans."""

from __future__ import annotations

import contextvars
import time
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import StatusCode
from support.spans import Spans, attributes, context_of, ending

import agentops_otel.compat as agentops
from agentops_otel.compat.events import Event, EventType
from agentops_otel.runtime import runtime


def test_a_call_of_a_model_is_a_span_that_counts(spans: Spans) -> None:
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


def test_a_call_of_a_tool_is_a_span_that_counts(spans: Spans) -> None:
    with agentops.start_trace("t"):
        event = agentops.ToolEvent(name="search", params={"q": "x"})
        event.returns = ["found"]
        agentops.record(event)
    assert attributes(spans.by_name("execute_tool search"))["gen_ai.tool.name"] == "search"
    assert attributes(spans.root())["agentops.session.tool.calls"] == 1


def test_any_other_action_is_a_task(spans: Spans) -> None:
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


def test_what_fails_may_be_any_event(spans: Spans) -> None:
    with agentops.start_trace("t"):
        agentops.record(agentops.ErrorEvent(exception=ValueError("no"), trigger_event=Event(event_type="page")))
    assert attributes(spans.by_name("task page"))["error.type"] == "ValueError"


def test_in_a_thread_that_knows_of_no_session_it_belongs_to_the_one_that_is_open(spans: Spans) -> None:
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


def test_content_is_written_where_it_is_wanted(spans: Spans) -> None:
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


def test_an_error_stands_on_what_failed(spans: Spans) -> None:
    with agentops.start_trace("t"):
        tool = agentops.ToolEvent(name="search")
        agentops.record(agentops.ErrorEvent(exception=ValueError("no"), trigger_event=tool))
    span = spans.by_name("execute_tool search")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "ValueError"
    assert [event.name for event in span.events] == ["exception"]
    assert ending(spans.root())[0] == "success"


@pytest.mark.parametrize("trigger", [None, "a tool", agentops.ErrorEvent()])
def test_an_error_of_nothing_stands_on_what_is_current(spans: Spans, trigger: Any) -> None:
    with agentops.start_trace("t"):
        agentops.record(agentops.ErrorEvent(error_type="RateLimit", details="slow down", trigger_event=trigger))
    [event] = spans.root().events
    assert event.attributes is not None
    assert (event.attributes["exception.type"], event.attributes["exception.message"]) == ("RateLimit", "slow down")


def test_an_event_takes_whatever_a_model_answered(spans: Spans) -> None:
    event = agentops.LLMEvent("llms", {"a": 1}, prompt="p", total_tokens=12, prompt_tokens_details={"cached": 1})
    assert (event.event_type, event.params, event.prompt) == ("llms", {"a": 1}, "p")
    agentops.record(event)
    assert event.end_timestamp is not None


def test_a_span_has_the_times_of_its_event(spans: Spans) -> None:
    event = agentops.ToolEvent(name="t", init_timestamp="2024-05-01T12:00:00+00:00")
    event.end_timestamp = "2024-05-01T12:00:02+00:00"
    agentops.record(event)
    span = spans.by_name("execute_tool t")
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 2 * 10**9


@pytest.mark.parametrize("wrong", ["9999-01-01T00:00:00+00:00", "1900-01-01T00:00:00+00:00", "once", 7])
def test_a_time_that_cannot_be_exported_is_now(spans: Spans, wrong: Any) -> None:
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
def test_anything_can_be_recorded(spans: Spans, event: object) -> None:
    assert agentops.record(event) is event


def test_a_session_records_its_own(spans: Spans) -> None:
    first, _ = agentops.start_session(), agentops.start_session()
    first.record(agentops.ToolEvent(name="t"))
    agentops.end_all_sessions()
    assert attributes(spans.by_name("execute_tool t"))["session.id"] == first.session_id


def test_what_is_no_event_is_said_once(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        agentops.record({"event_type": "llms"})
    assert caplog.text.count("record() takes events, not dict: nothing is recorded") == 1
    assert spans.all() == []
