"""How exceptions are recorded, and that no text of theirs costs the session they ended."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from support.otlp import Receiver
from support.spans import Spans, in_use

import agentops_otel as ao
from agentops_otel.sessions.exceptions import error_type

SURROGATE = "\ud83d"
"""Half of a pair, as in the name of a file whose bytes are no UTF-8: no exporter can encode it."""


class Own(Exception):
    class Inner(Exception):
        pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError(), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (Own(), f"{__name__}.Own"),
        (Own.Inner(), f"{__name__}.Own.Inner"),
        (type("Made", (Exception,), {"__module__": None})(), "Made"),
    ],
)
def test_error_type_is_the_qualified_name_of_the_class(error: BaseException, kind: str) -> None:
    assert error_type(error) == kind


def test_causes_and_notes_are_in_the_stack_trace(spans: Spans) -> None:
    @ao.session
    def work() -> None:
        try:
            raise KeyError("the cause")
        except KeyError as cause:
            error = ValueError("effect")
            if sys.version_info >= (3, 11):
                error.add_note("the note")
            raise error from cause

    with pytest.raises(ValueError, match="effect"):
        work()
    [event] = spans.root().events
    written = str((event.attributes or {})["exception.stacktrace"])
    assert "the cause" in written
    assert "the note" in written or sys.version_info < (3, 11)


def test_deep_recursion_is_recorded(spans: Spans) -> None:
    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError), ao.session():
        deeper()
    assert (spans.root().attributes or {})["error.type"] == "RecursionError"


def test_the_exception_is_not_kept(spans: Spans) -> None:
    with suppress(Own), ao.session():
        error = Own()
        kept = weakref.ref(error)
        raise error
    del error
    gc.collect()
    assert kept() is None


@pytest.fixture
def exported(receiver: Receiver) -> Iterator[Spans]:
    """A provider with a real exporter."""
    exporter = OTLPSpanExporter(f"{receiver.http_endpoint}/v1/traces")
    spans = Spans(after=[BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000)])
    with in_use(spans):
        yield spans
    spans.provider.shutdown()


def name() -> None:
    with ao.session(f"n{SURROGATE}"):
        pass


def tag() -> None:
    with ao.session(tags=[f"t{SURROGATE}"]) as session:
        session.add_tags(SURROGATE)


def attribute() -> None:
    with ao.session(attributes={"k": SURROGATE, SURROGATE: "v"}):
        pass


def message() -> None:
    with suppress(ValueError), ao.session():
        raise ValueError(f"cannot read {SURROGATE}")


def recorded() -> None:
    with ao.session() as session:
        session.record_exception(ValueError(f"cannot read {SURROGATE}"))


def function() -> None:
    def work() -> None:
        pass

    work.__name__ = SURROGATE
    ao.session(work)()


@pytest.mark.parametrize("session", [name, tag, attribute, message, recorded, function])
def test_text_that_is_no_unicode_costs_no_session(
    exported: Spans, receiver: Receiver, session: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    with ao.session("innocent"):
        pass
    try:
        session()
    except ValueError as error:  # refused where it is an argument is as good
        assert "name" in str(error) or "tags" in str(error) or "attributes" in str(error)  # noqa: PT017
        started = 1
    else:
        started = 2
    assert ao.flush(10)
    assert len(receiver.sessions()) == started
    assert "session innocent" in [span.name for span in receiver.spans]
