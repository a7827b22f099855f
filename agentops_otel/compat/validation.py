"""Checks that a session was exported: by what this process knows of it, no backend is asked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .. import api
from ..runtime import runtime
from ..sessions.handle import Session
from .traces import TraceContext, active, checked


class ValidationError(Exception):
    """Raised by `validate_trace_spans`."""


def validate_trace_spans(
    trace_id: str | None = None,
    trace_context: TraceContext | None = None,
    max_retries: int = 10,
    retry_delay: float = 1.0,
    check_llm: bool = True,
    min_spans: int = 1,
    api_key: str | None = None,
) -> dict[str, Any]:
    """Waits until the spans that have ended are exported, and tells what a session has consumed.

    Args:
        trace_id: of the session, 32 hex digits; by default the current one. An open one is found by it.
        trace_context: of the session, also when it is over.
        max_retries: with ``retry_delay``: how long to wait.
        retry_delay: seconds.
        check_llm: whether the session must have called a model.
        min_spans: how many calls of models, tools and agents there must be, the session counted as one.
        api_key: accepted, and without effect.

    Raises ValidationError if it is not so; ValueError where no session is meant, TypeError for what is none.
    """
    session = _session(trace_id, trace_context)
    if session is None and trace_id is None:
        raise ValueError("give a trace_id or a trace_context: no session is current")
    is_exported = api.flush(max(0.0, max_retries * retry_delay))
    if session is None:
        reason = "this process knows no open session of this trace"
        return {**_EMPTY, "trace_id": trace_id, "validation_skipped": True, "reason": reason}
    totals = session.totals
    result = {
        **_EMPTY,
        "trace_id": session.trace_id,
        "span_count": 1 + totals.inference_calls + totals.embedding_calls + totals.tool_calls + totals.agent_calls,
        "has_llm_spans": totals.inference_calls > 0,
        "metrics": {
            "total_tokens": totals.input_tokens + totals.output_tokens,
            "prompt_tokens": totals.input_tokens,
            "completion_tokens": totals.output_tokens,
            "total_cost": totals.cost,
        },
    }
    if not is_exported:
        raise ValidationError(f"the spans of trace {session.trace_id} were not exported in time")
    if result["span_count"] < min_spans:
        raise ValidationError(f"trace {session.trace_id} has {result['span_count']} spans, not {min_spans}")
    if check_llm and not result["has_llm_spans"]:
        raise ValidationError(f"trace {session.trace_id} has no call of a model")
    return result


_EMPTY: Mapping[str, Any] = {
    "span_count": 0,
    "spans": [],
    "has_llm_spans": False,
    "llm_span_names": [],
    "metrics": None,
}


def _session(trace_id: str | None, trace_context: TraceContext | None) -> Session | None:
    if trace_context is not None:
        return checked(trace_context).session
    if trace_id is None:
        return runtime.current()
    held = active().get(trace_id)
    return None if held is None else held.session


def print_validation_summary(result: Mapping[str, Any]) -> None:
    """Prints what `validate_trace_spans` returned."""
    if result.get("validation_skipped"):
        lines = [f"not validated: {result.get('reason')}"]
    else:
        lines = [f"spans: {result['span_count']}", f"calls of models: {'yes' if result['has_llm_spans'] else 'no'}"]
        lines += [f"{name.replace('_', ' ')}: {value}" for name, value in (result.get("metrics") or {}).items()]
    sys.stdout.write("\n".join([f"trace {result.get('trace_id')}", *lines, ""]))
