"""The log events of a session: one when it starts, one when it has ended, for every session that is recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from support.other_signals import Logs, said_by
from support.spans import Spans, context_of, in_use

import agentops_otel as ao

START, END = "session.start", "session.end"


class RecordOnly(Sampler):
    """Records everything and samples nothing, for a processor that decides later."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: list[Link] | None = None,  # type: ignore[override]
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY, attributes)

    def get_description(self) -> str:
        return "record only"


@pytest.fixture
def logs() -> Iterator[Logs]:
    with Logs().in_use() as logs:
        yield logs


@pytest.mark.parametrize("sampler", [ALWAYS_ON, RecordOnly()], ids=["sampled", "recorded only"])
def test_are_emitted_for_a_session_that_is_recorded(logs: Logs, sampler: Sampler) -> None:
    with in_use(Spans(sampler=sampler)):
        with ao.session(id="s", conversation_id="c", user_id="u") as session:
            root = trace.get_current_span().get_span_context()
            start = logs.event(START)
            assert session.is_open
        end = logs.event(END)
        for event in (start, end):
            assert (event.trace_id, event.span_id) == (root.trace_id, root.span_id)
            said = said_by(event)
            assert (said["session.id"], said["gen_ai.conversation.id"], said["user.id"]) == ("s", "c", "u")
        assert (start.timestamp or 0) <= (end.timestamp or 0)


def test_are_not_emitted_for_a_session_that_is_dropped(logs: Logs) -> None:
    with in_use(Spans(sampler=ALWAYS_OFF)):
        with ao.session():
            pass
    assert logs.all() == []


def test_of_the_end_tell_the_totals(spans: Spans, logs: Logs) -> None:
    with ao.session():
        spans.tracer.start_span(
            "chat",
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.usage.input_tokens": 7,
                "gen_ai.usage.output_tokens": 5,
            },
        ).end()
        spans.tracer.start_span("tool", attributes={"gen_ai.operation.name": "execute_tool"}).end()
    said = said_by(logs.event(END))
    totals = {
        "agentops.session.inference.calls": 1,
        "agentops.session.tool.calls": 1,
        "agentops.session.usage.input_tokens": 7,
        "agentops.session.usage.output_tokens": 5,
    }
    assert {name: said[name] for name in totals} == totals
    assert not totals.keys() & said_by(logs.event(START)).keys()


def test_are_timed_as_the_root_is(spans: Spans, logs: Logs) -> None:
    with ao.session():
        pass
    root = spans.root()
    assert (logs.event(START).timestamp, logs.event(END).timestamp) == (root.start_time, root.end_time)
    assert logs.event(END).span_id == context_of(root).span_id
