"""The span that is current in a session: it stands for the root while the session is open, for nothing afterwards."""

from __future__ import annotations

import contextvars
import copy
import pickle
from collections.abc import Iterator
from contextlib import suppress

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from support.spans import Spans, attributes, context_of, ending

import agentops_otel as ao

REMOTE = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))


@pytest.fixture
def dead(spans: Spans, caplog: pytest.LogCaptureFixture) -> Iterator[trace.Span]:
    """The span of a session that is over; whatever is done with it, nothing more arrives and nothing is logged."""
    with ao.session():
        span = trace.get_current_span()
    yield span
    root = spans.root()
    assert (root.name, root.events, root.links) == ("session", (), ())
    assert "late" not in attributes(root)
    assert ending(root) == ("success", "completed", "UNSET")
    assert caplog.text == ""


class TestOpen:
    def test_is_a_span_with_the_context_of_the_root(self, spans: Spans) -> None:
        with ao.session():
            span = trace.get_current_span()
            assert isinstance(span, trace.Span)
            assert span.is_recording()
            said = span.get_span_context()
        assert said == context_of(spans.root())

    def test_forwards_what_is_written(self, spans: Spans) -> None:
        error = ValueError("recorded")
        with ao.session():
            span = trace.get_current_span()
            span.set_attribute("one", 1)
            span.set_attributes({"two": 2})
            span.add_event("event", {"k": "v"}, 1)
            span.add_link(REMOTE, {"l": 1})
            span.record_exception(error, {"more": 1})
            span.update_name("renamed")
            span.set_status(Status(StatusCode.ERROR, "why"))
        root = spans.by_name("renamed")
        assert (attributes(root)["one"], attributes(root)["two"]) == (1, 2)
        assert [event.name for event in root.events] == ["event", "exception"]
        assert root.events[0].timestamp == 1
        assert (root.events[1].attributes or {})["more"] == 1
        assert [link.context for link in root.links] == [REMOTE]
        assert (root.status.status_code, root.status.description) == (StatusCode.ERROR, "why")

    def test_can_be_read_like_a_span_of_the_sdk(self, spans: Spans) -> None:
        # As instrumentations do, which take for granted that a recording span is one.
        with ao.session("s", attributes={"k": 1}):
            span = trace.get_current_span()
            assert span.attributes["k"] == 1  # type: ignore[attr-defined]
            assert span.name == "session s"  # type: ignore[attr-defined]
            assert span.kind is SpanKind.INTERNAL  # type: ignore[attr-defined]
            assert span.parent is None  # type: ignore[attr-defined]
            assert span.start_time > 0  # type: ignore[attr-defined]
            assert span.end_time is None  # type: ignore[attr-defined]
            assert span.events == ()  # type: ignore[attr-defined]
            assert span.links == ()  # type: ignore[attr-defined]
            assert span.status.status_code is StatusCode.UNSET  # type: ignore[attr-defined]
            assert span.resource is spans.provider.resource  # type: ignore[attr-defined]

    def test_has_nothing_that_a_span_has_not(self, spans: Spans) -> None:
        with ao.session():
            span = trace.get_current_span()
            for name in ("colour", "_colour", "__len__"):
                assert not hasattr(span, name)

    def test_name_is_that_of_the_root_as_sdk_code_reads_it(self, spans: Spans) -> None:
        # `span.name` of a current span must be the span's name, whatever our own object calls "name".
        with ao.session("s"):
            span = trace.get_current_span()
            span.update_name("renamed")
            assert span.name == "renamed"  # type: ignore[attr-defined]

    def test_is_injected_into_headers_as_the_root(self, spans: Spans) -> None:
        carrier: dict[str, str] = {}
        with ao.session() as session:
            TraceContextTextMapPropagator().inject(carrier)
        assert carrier["traceparent"].split("-")[1] == session.trace_id

    def test_used_as_current_span_by_others_keeps_the_session_current(self, spans: Spans) -> None:
        with ao.session() as session, trace.use_span(trace.get_current_span(), end_on_exit=False):
            assert ao.current_session() is session

    def test_ended_by_somebody_is_the_end_of_the_session(self, spans: Spans) -> None:
        session = ao.start_session()
        trace.get_current_span().end()
        assert not session.is_open
        assert ao.open_sessions() == []
        session.end("error")
        assert ending(spans.root()) == ("success", "completed", "UNSET")

    def test_ended_by_somebody_with_a_time_ends_at_that_time(self, spans: Spans) -> None:
        with ao.session():
            end = trace.get_current_span().start_time + 5  # type: ignore[attr-defined]
            trace.get_current_span().end(end)
        assert spans.root().end_time == end

    def test_use_span_that_ends_it_on_exit_records_what_leaves_it(self, spans: Spans) -> None:
        with pytest.raises(ValueError, match="mine"), ao.session():
            with trace.use_span(trace.get_current_span(), end_on_exit=True):
                raise ValueError("mine")
        assert spans.root().status.status_code is StatusCode.ERROR
        assert [event.name for event in spans.root().events] == ["exception"]

    def test_repr_names_the_session(self, spans: Spans) -> None:
        with ao.session("s", id="the-id"):
            assert repr(trace.get_current_span()) == "<session 's' the-id>"


class TestOver:
    def test_is_invalid_and_does_not_record(self, dead: trace.Span) -> None:
        assert not dead.is_recording()
        assert not dead.get_span_context().is_valid

    def test_takes_what_is_written_in_silence(self, dead: trace.Span) -> None:
        dead.set_attribute("late", 1)
        dead.set_attributes({"late": 1})
        dead.add_event("late")
        dead.add_link(REMOTE)
        dead.record_exception(ValueError("late"))
        dead.update_name("late")
        dead.set_status(StatusCode.ERROR)
        dead.end()
        with dead:
            pass

    def test_is_parent_of_nobody(self, spans: Spans, dead: trace.Span) -> None:
        with trace.use_span(dead):
            spans.tracer.start_span("child").end()
        assert spans.by_name("child").parent is None

    def test_is_injected_nowhere(self, dead: trace.Span) -> None:
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(dead))
        assert carrier == {}

    def test_what_was_read_before_can_still_be_asked_for(self, dead: trace.Span) -> None:
        # An instrumentation that reads `span.attributes` of the current span may do so one line too late.
        assert getattr(dead, "attributes", None) in (None, {})

    def test_repr_still_works(self, dead: trace.Span) -> None:
        assert repr(dead).startswith("<session None")


def test_processors_of_the_user_see_a_plain_sdk_span() -> None:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from support.spans import in_use

    seen: list[object] = []

    class Processor(SpanProcessor):
        def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
            seen.append(span)

        def on_end(self, span: ReadableSpan) -> None:
            seen.append(span)

    with in_use(Spans(before=[Processor()])), ao.session():
        pass
    started, ended = seen
    assert isinstance(started, SdkSpan)
    assert isinstance(ended, ReadableSpan)


def test_a_copied_context_still_knows_the_open_session(spans: Spans) -> None:
    with ao.session() as session:
        assert contextvars.copy_context().run(ao.current_session) is session


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_of_the_current_span_do_no_harm(spans: Spans, how: object) -> None:
    # Some loggers deep-copy whatever they find in a context. Refused or done: the session ends once.
    with ao.session():
        with suppress(Exception):
            how(trace.get_current_span())  # type: ignore[operator]
    assert len(spans.roots()) == 1
