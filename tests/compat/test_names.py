"""The names and signatures of the AgentOps SDK 0.4.21, which programs call, and those of earlier releases."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

import agentops_otel.compat as agentops
from agentops_otel.compat import events, semconv

NAMES = {
    "ActionEvent",
    "Client",
    "ERROR",
    "EndState",
    "ErrorEvent",
    "Event",
    "LLMEvent",
    "SUCCESS",
    "Session",
    "ToolEvent",
    "TraceContext",
    "TraceState",
    "UNSET",
    "ValidationError",
    "add_tags",
    "agent",
    "configure",
    "create_agent",
    "end_all_sessions",
    "end_session",
    "end_trace",
    "get_client",
    "get_session",
    "guardrail",
    "init",
    "logger",
    "operation",
    "print_validation_summary",
    "record",
    "record_action",
    "record_function",
    "record_tool",
    "session",
    "set_tags",
    "start_session",
    "start_trace",
    "stop_instrumenting",
    "task",
    "tool",
    "trace",
    "tracer",
    "track_agent",
    "track_endpoint",
    "track_tool",
    "update_trace_metadata",
    "validate_trace_spans",
    "workflow",
}

SIGNATURES = {
    "init": "api_key=None endpoint=None app_url=None max_wait_time=None max_queue_size=None tags=None "
    "default_tags=None trace_name=None instrument_llm_calls=None auto_start_session=None auto_init=None "
    "skip_auto_end_session=None env_data_opt_out=None log_level=None fail_safe=None log_session_replay_url=None "
    "exporter_endpoint=None **kwargs",
    "configure": "**kwargs",
    "get_client": "",
    "start_trace": "trace_name='session' tags=None",
    "end_trace": "trace_context=None end_state=<TraceState.SUCCESS: <StatusCode.OK: 1>>",
    "update_trace_metadata": "metadata prefix='trace.metadata'",
    "start_session": "tags=None **kwargs",
    "end_session": "session_or_status=None end_state_reason=None video=None **kwargs",
    "end_all_sessions": "",
    "get_session": "session_id",
    "add_tags": "tags",
    "set_tags": "tags",
    "create_agent": "name=None agent_id=None",
    "record": "event",
    "record_action": "event_name=None",
    "record_function": "event_name",
    "record_tool": "tool_name=None",
    "stop_instrumenting": "",
    "validate_trace_spans": "trace_id=None trace_context=None max_retries=10 retry_delay=1.0 check_llm=True "
    "min_spans=1 api_key=None",
    "print_validation_summary": "result",
}

DECORATORS = ["agent", "task", "workflow", "operation", "tool", "guardrail", "trace", "session", "track_endpoint"]
OF_DECORATORS = "wrapped=None name=None version=None tags=None cost=None spec=None capture_request=True"

FIELDS = {
    "ActionEvent": "action_type logs screenshot",
    "LLMEvent": "thread_id prompt prompt_tokens completion completion_tokens cost model",
    "ToolEvent": "name logs",
    "ErrorEvent": "trigger_event exception error_type code details logs",
}
OF_EVENTS = "event_type params returns init_timestamp end_timestamp agent_id id session_id"


def test_all_are_there() -> None:
    assert set(agentops.__all__) == NAMES | {"install"}
    assert all(hasattr(agentops, name) for name in NAMES)


def described(function: object) -> str:
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    return " ".join(
        f"**{one.name}"
        if one.kind is one.VAR_KEYWORD
        else one.name
        if one.default is one.empty
        else f"{one.name}={one.default!r}"
        for one in parameters
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_functions_have_their_signatures(name: str) -> None:
    assert described(getattr(agentops, name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", DECORATORS)
def test_decorators_have_their_signature(name: str) -> None:
    assert described(getattr(agentops, name)) == f"{OF_DECORATORS} capture_response=True"


@pytest.mark.parametrize("name", FIELDS)
def test_events_have_their_fields_in_order(name: str) -> None:
    fields = [field.name for field in dataclasses.fields(getattr(agentops, name))]
    assert fields == [*OF_EVENTS.split(), *FIELDS[name].split()]


@pytest.mark.parametrize("name", sorted(NAMES - {"ERROR", "SUCCESS", "UNSET", "logger"}))
def test_each_is_described(name: str) -> None:
    assert inspect.getdoc(getattr(agentops, name))


def test_attributes_have_their_values() -> None:
    assert semconv.SpanAttributes.AGENTOPS_SPAN_KIND == "agentops.span.kind"
    assert semconv.SpanAttributes.OPERATION_NAME == "operation.name"
    assert semconv.SpanAttributes.AGENTOPS_ENTITY_INPUT == "agentops.entity.input"
    assert semconv.SpanAttributes.AGENTOPS_SESSION_END_STATE == "agentops.session.end_state"
    assert semconv.CoreAttributes.TAGS == "agentops.tags"
    assert semconv.AgentAttributes.AGENT_NAME == "agent.name"
    assert semconv.SpanKind.SESSION == semconv.AgentOpsSpanKindValues.SESSION.value == "session"
    assert semconv.ToolStatus.SUCCEEDED.value == "succeeded"


def test_event_types_have_their_values() -> None:
    assert [kind.value for kind in events.EventType] == ["llms", "actions", "apis", "tools", "errors"]
