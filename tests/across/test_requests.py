"""Requests of instrumented clients carry the session in which they are sent, and no other."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, context, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.textmap import Setter, TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from support import programs
from support.deaths import COMPLETED, Death, Deaths
from support.programs import Program
from support.spans import Spans, attributes, in_use

import agentops_otel as ao
from agentops_otel.runtime import runtime

TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def port_of(service: Program) -> str:
    service.wait_for_line("ready")
    return service.stdout.split()[0]


def test_work_of_services_belongs_to_the_session_that_asked_for_it(deaths: Deaths) -> None:
    with deaths.start("across_service") as first, deaths.start("across_service") as second:
        died = deaths.run("across_client", port_of(first), port_of(second))
        assert died.quiet == (0, "")
        for service in (first, second):
            service.send(signal.SIGTERM)
            outcome = service.wait()
            assert (outcome.returncode, outcome.stderr) == (-signal.SIGTERM, "")
    ids = {"session.id": "s-1", "gen_ai.conversation.id": "c-1"}
    died = Death(died.outcome, died.receiver)
    root, inner = died.session(COMPLETED), died.session(COMPLETED, name="inner")
    step, forwards = died.span("step"), died.span("forwards")
    by_parent = {span.parent_id: span for span in died.spans("joins")}
    assert by_parent.keys() == {step.span_id, forwards.span_id, inner.span_id}
    extracted = [span for span in died.spans("extracts") if span.trace_id == root.trace_id]
    for span in (by_parent[step.span_id], by_parent[forwards.span_id], forwards, *extracted):
        assert (span.trace_id, span.attributes) == (root.trace_id, ids)
    assert [span.parent_id for span in (forwards, *extracted)] == [step.span_id] * 2
    assert by_parent[inner.span_id].attributes == {"session.id": "s-2"}
    # After the session.
    alone = [span for span in died.spans("extracts") if span not in extracted]
    assert [(span.parent_id, span.attributes) for span in alone] == [(None, {})] * 2


def injected(around: context.Context | None = None) -> dict[str, str]:
    """The baggage that a request gets."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier, around)
    entries = (entry.split("=", 1) for entry in carrier.get("baggage", "").split(",") if entry)
    return dict(entries)


class TestInject:
    def test_adds_the_ids_of_the_session_but_not_of_the_user(self, spans: Spans) -> None:
        with ao.session(id="s-1", conversation_id="c-1", user_id="u-1"):
            assert injected() == {"session.id": "s-1", "gen_ai.conversation.id": "c-1"}
            with spans.tracer.start_as_current_span("child"):
                assert injected() == {"session.id": "s-1", "gen_ai.conversation.id": "c-1"}
        assert injected() == {}

    def test_looks_into_the_context_that_is_given(self, spans: Spans) -> None:
        with ao.session(id="s-1"):
            inside = context.get_current()
            assert injected(context.Context()) == {}
            with ao.session(id="s-2"):
                assert injected(inside) == {"session.id": "s-1"}
        assert injected(inside) == {}

    def test_adds_nothing_to_the_context(self, spans: Spans) -> None:
        with ao.session():
            injected()
            assert baggage.get_all() == {}

    def test_lets_the_ids_of_the_session_win_over_those_in_the_baggage(self, spans: Spans) -> None:
        around = context.get_current()
        for name in ("session.id", "gen_ai.conversation.id", "user.id", "mine"):
            around = baggage.set_baggage(name, "outside", around)
        token = context.attach(around)
        with ao.session(id="s-1", user_id="u-1"):
            assert injected() == {"session.id": "s-1", "mine": "outside"}
        assert injected().keys() == {"session.id", "gen_ai.conversation.id", "user.id", "mine"}
        context.detach(token)

    def test_does_not_pass_on_who_the_user_of_a_joined_session_is(self, spans: Spans) -> None:
        carrier = {"traceparent": TRACEPARENT, "baggage": "session.id=s-1,user.id=u-1,mine=1"}
        with ao.join_session(carrier) as session:
            assert injected() == {"session.id": "s-1", "mine": "1"}
            assert session is not None
            assert "user.id=u-1" in session.carrier()["baggage"]

    def test_sends_no_baggage_where_the_user_wants_none(self, spans: Spans) -> None:
        before = propagate.get_global_textmap()
        propagate.set_global_textmap(TraceContextTextMapPropagator())
        with ao.session():
            assert injected() == {}
        propagate.set_global_textmap(before)

    def test_uses_the_propagator_that_is_set_later(self, spans: Spans) -> None:
        before = propagate.get_global_textmap()
        propagate.set_global_textmap(W3CBaggagePropagator())
        with ao.session(id="s-1"):
            assert injected() == {"session.id": "s-1"}
        propagate.set_global_textmap(before)

    def test_leaves_mistakes_of_a_propagator_to_who_calls_it(self, spans: Spans) -> None:
        class Broken(W3CBaggagePropagator):
            def inject(self, carrier: Any, context: Any = None, setter: Setter[Any] = None) -> None:  # type: ignore[assignment]
                raise ValueError("boom")

        before = propagate.get_global_textmap()
        propagate.set_global_textmap(Broken())
        with ao.session(), pytest.raises(ValueError, match="boom"):
            injected()
        propagate.set_global_textmap(before)


HOSTILE = [
    "session.id=" + "x" * 4000,
    "session.id=" + "x" * 10_000,
    "session.id=" + "x" * 257,
    "session.id=",
    "session.id",
    "session.id=a%00b",
    "session.id=a%0Ab",
    "session.id=%1B%5B31m",
    "session.id=a\x07b",
    "session.id=\N{SNOWMAN}",
    "session.id=\udcff",
    ",".join(f"name{number}=value" for number in range(200)) + ",session.id=s-1",
    "\0",
    ",;=,",
]
"""Baggage that names no session that anybody could have started."""


class TestHostile:
    @pytest.mark.parametrize("header", HOSTILE, ids=lambda header: repr(header[:20]))
    def test_baggage_leaves_no_trace_on_spans(self, spans: Spans, header: str) -> None:
        carrier = {"traceparent": TRACEPARENT, "baggage": header}
        with ao.join_session(carrier) as session, spans.tracer.start_as_current_span("joined"):
            assert session is None
        try:
            extracted = propagate.extract(carrier)
        except UnicodeEncodeError:  # of the official propagator, at a lone surrogate
            extracted = context.Context()
        spans.tracer.start_span("extracted", context=extracted).end()
        assert attributes(spans.by_name("joined")) == attributes(spans.by_name("extracted")) == {}

    def test_traceparent_leaves_the_ids_alone(self, spans: Spans) -> None:
        for traceparent in ("", "00-zz-yy-01", f"00-{'0' * 32}-{'0' * 16}-01", "x" * 10_000, "\udcff"):
            with ao.join_session({"traceparent": traceparent, "baggage": "session.id=s-1"}):
                with spans.tracer.start_as_current_span("work"):
                    pass
            [span] = spans.all()
            assert (span.parent, attributes(span)) == (None, {"session.id": "s-1"})
            spans.clear()


@pytest.fixture
def nothing_installed() -> Iterator[TextMapPropagator]:
    runtime.release()
    yield propagate.get_global_textmap()
    assert type(propagate.get_global_textmap()).__module__.startswith("opentelemetry.")


class TestSwitch:
    def test_gives_the_original_back(self, nothing_installed: TextMapPropagator) -> None:
        set_global_textmap = propagate.set_global_textmap
        with in_use(Spans()):
            assert propagate.get_global_textmap() is not nothing_installed
            assert propagate.get_global_textmap().fields == nothing_installed.fields
            ao.configure(propagation=False)
            assert propagate.get_global_textmap() is nothing_installed
            assert propagate.set_global_textmap is set_global_textmap
            ao.configure(propagation=True)
            runtime.release()
            assert propagate.get_global_textmap() is nothing_installed
            assert propagate.set_global_textmap is set_global_textmap

    def test_leaves_alone_what_somebody_has_put_around_ours(self, nothing_installed: TextMapPropagator) -> None:
        class Around(W3CBaggagePropagator):
            def __init__(self, wrapped: TextMapPropagator) -> None:
                self.wrapped = wrapped

            def inject(
                self,
                carrier: Any,
                context: context.Context | None = None,
                setter: Setter[Any] = None,  # type: ignore[assignment]
            ) -> None:
                self.wrapped.inject(carrier, context)

        with in_use(Spans()):
            ours = propagate.get_global_textmap()
            around = Around(ours)
            runtime.release()
            propagate.set_global_textmap(around)
            with ao.session(id="s-1"):
                assert injected() == {"session.id": "s-1"}
                ao.configure(propagation=False)
                assert propagate.get_global_textmap() is around
                assert injected() == {}
        propagate.set_global_textmap(nothing_installed)


def test_propagators_are_not_imported_before_the_program_does() -> None:
    code = """
import sys
import agentops_otel as ao
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
with ao.session(id="s-1"):
    lazy = ["opentelemetry.propagate", "multiprocessing", "concurrent.futures.process", "wrapt"]
    print([name for name in lazy if name in sys.modules])
    from opentelemetry import propagate
    carrier = {}
    propagate.inject(carrier)
    print(carrier["baggage"])
"""
    outcome = programs.run(["-c", code])
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "[]\nsession.id=s-1\n", "")
    assert "opentelemetry.propagate" in sys.modules
