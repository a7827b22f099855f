"""The carrier: a session as headers for another process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from support.spans import Spans, attributes, context_of, in_use

import agentops_otel as ao
from agentops_otel import shield
from agentops_otel.sessions.arguments import MAX_ID_LENGTH


@pytest.fixture
def others() -> Iterator[None]:
    """Baggage of the program itself."""
    token = context.attach(baggage.set_baggage("own", "1"))
    yield
    context.detach(token)


def baggage_of(carrier: dict[str, str]) -> dict[str, object]:
    """What another process reads there."""
    return dict(baggage.get_all(W3CBaggagePropagator().extract(carrier, context.Context())))


def test_is_the_root_as_trace_context_and_the_ids_as_baggage(spans: Spans) -> None:
    with ao.session(id="s", conversation_id="c d", user_id="ü") as session:
        with spans.tracer.start_as_current_span("step"):
            carrier = session.carrier()
    root = context_of(spans.root())
    assert carrier == {
        "traceparent": f"00-{session.trace_id}-{root.span_id:016x}-{root.trace_flags:02x}",
        "baggage": "session.id=s,gen_ai.conversation.id=c+d,user.id=%C3%BC",
    }


def test_has_the_ids_that_are_known_and_no_others(spans: Spans) -> None:
    with ao.session(id="s") as session:
        assert baggage_of(session.carrier()) == {"session.id": "s"}


def test_has_ids_that_were_learned(spans: Spans) -> None:
    with ao.session(id="s") as session:
        spans.tracer.start_span("chat", attributes={"gen_ai.conversation.id": "c"}).end()
        assert baggage_of(session.carrier()) == {"session.id": "s", "gen_ai.conversation.id": "c"}


def test_stays_the_same_after_the_end(spans: Spans) -> None:
    with ao.session(conversation_id="c") as session:
        carrier = session.carrier()
    assert session.carrier() == carrier


def test_takes_the_other_baggage_along(spans: Spans, others: None) -> None:
    with ao.session(id="s") as session:
        assert baggage_of(session.carrier()) == {"session.id": "s", "own": "1"}
        assert dict(baggage.get_all()) == {"own": "1"}


def test_is_read_by_the_propagators_of_opentelemetry(spans: Spans) -> None:
    with ao.session(id="s") as session:
        around = TraceContextTextMapPropagator().extract(session.carrier(), context.Context())
        around = W3CBaggagePropagator().extract(session.carrier(), around)
    spans.tracer.start_span("request", context=around).end()
    request = spans.by_name("request")
    assert request.parent is not None
    assert request.parent.span_id == context_of(spans.root()).span_id
    assert attributes(request)["session.id"] == "s"


def test_is_empty_without_an_sdk() -> None:
    session = ao.start_session(id="s", conversation_id="c")
    assert session.carrier() == {}


def test_says_that_a_session_is_not_sampled() -> None:
    with in_use(Spans(sampler=ALWAYS_OFF)), ao.session(id="s") as session:
        carrier = session.carrier()
    flags = int(carrier["traceparent"].split("-")[3], 16)
    assert not flags & 1
    assert carrier["baggage"] == "session.id=s"


def test_is_a_copy(spans: Spans) -> None:
    with ao.session() as session:
        session.carrier().clear()
        assert session.carrier()


class TestOtherBaggage:
    """What the program itself has there is no reason to lose the session."""

    def test_that_is_too_much_for_a_header_does_not_push_the_ids_out(self, spans: Spans) -> None:
        token = context.attach(context.get_current())
        for number in range(300):
            context.attach(baggage.set_baggage(f"own.{number}", "1"))
        with ao.session(id="s", conversation_id="c", user_id="u") as session:
            carrier = session.carrier()
        context.detach(token)
        assert carrier["baggage"].startswith("session.id=s,gen_ai.conversation.id=c,user.id=u,own.0=1,")
        with ao.join_session(carrier) as joined:
            assert joined is not None
            assert joined.conversation_id == "c"

    def test_of_another_session_is_not_its_own(self, spans: Spans) -> None:
        with ao.session(id="other", conversation_id="c", user_id="u") as other:
            with ao.join_session(other.carrier()), ao.session(id="s", user_id="me") as session:
                assert baggage_of(session.carrier()) == {"session.id": "s", "user.id": "me"}

    def test_that_names_a_conversation_but_no_session_goes_along(self, spans: Spans) -> None:
        token = context.attach(baggage.set_baggage("gen_ai.conversation.id", "c"))
        with ao.session(id="s") as session:
            assert baggage_of(session.carrier()) == {"session.id": "s", "gen_ai.conversation.id": "c"}
        context.detach(token)

    def test_that_names_another_conversation_does_not_win(self, spans: Spans) -> None:
        token = context.attach(baggage.set_baggage("gen_ai.conversation.id", "other"))
        with ao.session(id="s", conversation_id="c") as session:
            assert baggage_of(session.carrier()) == {"session.id": "s", "gen_ai.conversation.id": "c"}
        context.detach(token)

    def test_that_cannot_be_written_raises_nothing(self, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
        class Hostile:
            def __str__(self) -> str:
                raise RuntimeError("not this way")

        monkeypatch.setattr(shield, "reraise", False)
        wrong: list[Any] = [Hostile(), "half of a pair \ud83d"]
        for value in wrong:
            token = context.attach(baggage.set_baggage("own", value))
            with ao.session() as session:
                assert session.carrier()["traceparent"]
            context.detach(token)


IDS = st.text(min_size=1, max_size=50).filter(lambda text: text.isprintable() and text == text.strip())


@given(id=IDS, conversation_id=IDS, user_id=IDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_id_arrives_as_it_is(spans: Spans, id: str, conversation_id: str, user_id: str) -> None:
    spans.clear()
    with ao.session(id=id, conversation_id=conversation_id, user_id=user_id) as session:
        carrier = session.carrier()
    assert all(value.isascii() for value in carrier.values())
    with ao.join_session(carrier):
        spans.tracer.start_span("step").end()
    assert attributes(spans.by_name("step")) == {
        "session.id": id,
        "gen_ai.conversation.id": conversation_id,
        "user.id": user_id,
    }


def test_the_longest_id_arrives(spans: Spans) -> None:
    with ao.session(id="👋" * MAX_ID_LENGTH) as session:
        carrier = session.carrier()
    with ao.join_session(carrier) as joined:
        assert joined is not None
        assert joined.id == session.id
