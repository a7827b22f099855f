"""`validate_trace_spans`: what a session has consumed, and errors where it is less than is expected."""

from __future__ import annotations

import pytest
from support.spans import Spans, poll

import agentops_otel.compat as agentops


def test_tells_what_a_session_has_consumed(spans: Spans, capsys: pytest.CaptureFixture[str]) -> None:
    context = agentops.start_trace("t")
    agentops.record(agentops.LLMEvent(model="m", prompt_tokens=3, completion_tokens=4))
    agentops.end_trace(context)
    poll(lambda: context.session.totals.inference_calls == 1)
    result = agentops.validate_trace_spans(trace_context=context)
    assert (result["trace_id"], result["span_count"]) == (context.session.trace_id, 2)
    assert result["has_llm_spans"] is True
    assert result["metrics"]["total_tokens"] == 7
    agentops.print_validation_summary(result)
    assert "total tokens: 7" in capsys.readouterr().out


def test_fails_where_no_model_was_called(spans: Spans) -> None:
    with agentops.start_trace("t") as context:
        with pytest.raises(agentops.ValidationError, match="no call of a model"):
            agentops.validate_trace_spans()
        assert agentops.validate_trace_spans(context.session.trace_id, check_llm=False)["span_count"] == 1
        with pytest.raises(agentops.ValidationError, match="not 2"):
            agentops.validate_trace_spans(check_llm=False, min_spans=2)


def test_is_skipped_where_nothing_is_known(spans: Spans, capsys: pytest.CaptureFixture[str]) -> None:
    result = agentops.validate_trace_spans("0" * 31 + "1")
    assert result["validation_skipped"] is True
    agentops.print_validation_summary(result)
    assert "not validated" in capsys.readouterr().out


def test_takes_a_session_of_older_releases(spans: Spans) -> None:
    session = agentops.start_session()
    result = agentops.validate_trace_spans(trace_context=session, check_llm=False)  # type: ignore[arg-type]
    assert result["trace_id"] == session.trace_context.session.trace_id
    session.end_session()


def test_refuses_what_is_no_session(spans: Spans) -> None:
    with pytest.raises(TypeError, match="trace_context"):
        agentops.validate_trace_spans(trace_context=7)  # type: ignore[arg-type]


def test_needs_a_session(spans: Spans) -> None:
    with pytest.raises(ValueError, match="trace_id"):
        agentops.validate_trace_spans()
