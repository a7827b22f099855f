"""Attributes of spans, whether the SDK keeps them as expected or not."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from support.spans import Spans, attributes, in_use

import agentops_otel as ao
from agentops_otel.sessions.sdk_spans import attributes_of, stamp


class OtherAttributes(UserDict[str, Any]):
    """Attributes as an SDK could keep them that is built in another way."""

    _immutable = False

    def _set_items(self, items: dict[str, Any]) -> None:
        self.update(items)


class AnotherSdk(SpanProcessor):
    """Makes every span keep its attributes in another way."""

    def on_start(self, span: Any, parent_context: object = None) -> None:
        span._attributes = OtherAttributes(span.attributes)


@pytest.fixture(params=["as expected", "in another way"])
def either(request: pytest.FixtureRequest) -> Any:
    with in_use(Spans(before=[AnotherSdk()] if request.param == "in another way" else [])) as spans:
        yield spans


def test_ids_are_stamped_and_totals_counted_either_way(either: Spans) -> None:
    with ao.session(conversation_id="c") as session:
        either.tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
        either.tracer.start_span("own", attributes={"session.id": "mine"}).end()
    named = {span.name: attributes(span) for span in either.exporter.get_finished_spans()}
    assert named["chat"]["session.id"] == session.id
    assert named["chat"]["gen_ai.conversation.id"] == "c"
    assert named["own"]["session.id"] == "mine"
    assert attributes(either.root())["agentops.session.inference.calls"] == 1


def test_limits_of_the_sdk_hold() -> None:
    provider = TracerProvider(
        span_limits=SpanLimits(max_span_attributes=2, max_span_attribute_length=4), shutdown_on_exit=False
    )
    span: Any = provider.get_tracer("tests").start_span("span", attributes={"a": "1", "b": "2"})
    stamp(span, "123456", {})
    assert dict(span.attributes) == {"b": "2", "session.id": "1234"}
    assert attributes_of(span) == span.attributes
    assert attributes_of(object()) == {}
