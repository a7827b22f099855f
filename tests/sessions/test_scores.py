"""Scores: they arrive with the session, whenever they come, with and without logs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from support.deaths import COMPLETED, Deaths
from support.other_signals import Logs, said_by
from support.spans import Spans, attributes, context_of, forget_recent, in_use

import agentops_otel as ao
from agentops_otel.runtime import runtime

NAME = "gen_ai.evaluation.result"
IDS = {"session.id": "s", "gen_ai.conversation.id": "c", "user.id": "u"}
SCORE = {
    "gen_ai.evaluation.name": "helpful",
    "gen_ai.evaluation.score.value": 0.5,
    "gen_ai.evaluation.score.label": "pass",
    "gen_ai.evaluation.explanation": "short and right",
}
CARRIER = {
    "traceparent": f"00-{0xA0A0:032x}-{0xB0B0:016x}-01",
    "baggage": "session.id=s,gen_ai.conversation.id=c,user.id=u",
}
"""Of a session of another process."""


class Store:
    def put(self, session_id: str, carrier: object) -> None:
        pass

    def get(self, session_id: str) -> dict[str, str] | None:
        return CARRIER if session_id == "s" else None


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    forget_recent()
    yield
    runtime.registry.recent.store = None


@pytest.fixture
def logs(spans: Spans) -> Iterator[Logs]:
    with Logs().in_use() as logs:
        yield logs


def start() -> ao.Session:
    return ao.start_session(id="s", conversation_id="c", user_id="u")


def score(by: ao.Session | str) -> None:
    if isinstance(by, str):
        ao.record_score(by, "helpful", 0.5, label="pass", explanation="short and right")
    else:
        by.record_score("helpful", 0.5, label="pass", explanation="short and right")


def context_in(record: LogRecord) -> tuple[int | None, int | None]:
    return record.trace_id, record.span_id


def context_on(span: ReadableSpan) -> tuple[int, int]:
    return context_of(span).trace_id, context_of(span).span_id


@pytest.mark.parametrize("by_id", [False, True], ids=["by handle", "by id"])
class TestWithLogs:
    """A log event in the context of the root."""

    def test_of_an_open_session(self, spans: Spans, logs: Logs, by_id: bool) -> None:
        with start() as session:
            score("s" if by_id else session)
        event = logs.event(NAME)
        assert said_by(event) == {**IDS, **SCORE}
        assert context_in(event) == context_on(spans.root())
        assert event.severity_text == "INFO"
        assert spans.root().events == ()

    def test_of_a_session_that_is_over(self, spans: Spans, logs: Logs, by_id: bool) -> None:
        session = start()
        session.end()
        score("s" if by_id else session)
        event = logs.event(NAME)
        assert said_by(event) == {**IDS, **SCORE}
        assert context_in(event) == context_on(spans.root())
        assert spans.names() == ["session"]

    def test_of_a_session_elsewhere(self, spans: Spans, logs: Logs, by_id: bool) -> None:
        ao.configure(store=Store())
        with ao.join_session(CARRIER) as session:
            assert session is not None
            score("s" if by_id else session)
        event = logs.event(NAME)
        assert said_by(event) == {**IDS, **SCORE}
        assert context_in(event) == (0xA0A0, 0xB0B0)
        assert spans.all() == []


@pytest.mark.parametrize("by_id", [False, True], ids=["by handle", "by id"])
class TestWithoutLogs:
    """An event on the root, or on a span of its own when that is over."""

    def test_of_an_open_session(self, spans: Spans, by_id: bool) -> None:
        with start() as session:
            score("s" if by_id else session)
        [event] = spans.root().events
        assert (event.name, event.attributes) == (NAME, SCORE)
        assert spans.names() == ["session"]

    def test_of_a_session_that_is_over(self, spans: Spans, by_id: bool) -> None:
        session = start()
        session.end()
        score("s" if by_id else session)
        span, root = spans.by_name(NAME), spans.root()
        assert attributes(span) == {**IDS, **SCORE}
        assert [(event.name, event.attributes) for event in span.events] == [(NAME, SCORE)]
        assert span.parent == context_of(root)
        assert root.events == ()

    def test_of_a_session_elsewhere(self, spans: Spans, by_id: bool) -> None:
        ao.configure(store=Store())
        with ao.join_session(CARRIER) as session:
            assert session is not None
            score("s" if by_id else session)
        span = spans.by_name(NAME)
        assert attributes(span) == {**IDS, **SCORE}
        assert span.parent is not None
        assert (span.parent.trace_id, span.parent.span_id) == (0xA0A0, 0xB0B0)

    def test_does_not_disturb_what_is_current(self, spans: Spans, by_id: bool) -> None:
        session = start()
        session.end()
        with ao.session("other") as other:
            score("s" if by_id else session)
            assert ao.current_session() is other
        assert spans.by_name(NAME).parent == context_of(spans.by_name("session"))

    def test_of_a_session_that_is_not_sampled_is_not_either(self, by_id: bool) -> None:
        with in_use(Spans(sampler=ParentBased(ALWAYS_OFF))) as spans:
            session = start()
            score("s" if by_id else session)
            session.end()
            score("s" if by_id else session)
            assert spans.all() == []


class TestUnknown:
    def test_with_logs_carries_the_id_alone(self, spans: Spans, logs: Logs) -> None:
        with ao.session("other"):
            ao.record_score("unknown", "helpful", 1)
        event = logs.event(NAME)
        assert said_by(event) == {
            "session.id": "unknown",
            "gen_ai.evaluation.name": "helpful",
            "gen_ai.evaluation.score.value": 1.0,
        }
        assert not event.trace_id
        assert not event.span_id

    def test_without_logs_is_a_span_with_the_id(self, spans: Spans) -> None:
        with ao.session("other"):
            ao.record_score("unknown", "helpful", 1)
        span = spans.by_name(NAME)
        assert span.parent is None
        assert attributes(span)["session.id"] == "unknown"

    def test_of_an_open_session_that_is_not_remembered_any_more_is_found(self, spans: Spans) -> None:
        with start():
            forget_recent()
            score("s")
        assert [event.name for event in spans.root().events] == [NAME]


def test_without_an_sdk_nothing_happens() -> None:
    ao.record_score("s", "helpful", 1)
    ao.start_session().record_score("helpful", 1)


def test_a_sampler_may_drop_the_span_of_a_score() -> None:
    with in_use(Spans(sampler=ALWAYS_ON)) as spans:
        with ao.session(id="s"):
            pass
    with in_use(Spans(sampler=ALWAYS_OFF)) as others:
        ao.record_score("s", "helpful", 1)
        assert others.all() == []
    assert spans.names() == ["session"]


def test_many_scores_of_a_session_all_arrive(spans: Spans) -> None:
    session = start()
    for number in range(50):
        session.record_score("before", number)
    session.end()
    for number in range(50):
        session.record_score("after", number)
    assert len(spans.root().events) == 50
    assert spans.names().count(NAME) == 50


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ({"value": 1}, {"gen_ai.evaluation.score.value": 1.0}),
        ({"value": True}, {"gen_ai.evaluation.score.value": 1.0}),
        ({"value": -1e300}, {"gen_ai.evaluation.score.value": -1e300}),
        ({"value": 0}, {"gen_ai.evaluation.score.value": 0.0}),
        ({"label": "good"}, {"gen_ai.evaluation.score.label": "good"}),
        (
            {"label": "half of a pair \ud83d", "explanation": "\ud83d"},
            {"gen_ai.evaluation.score.label": "half of a pair ?", "gen_ai.evaluation.explanation": "?"},
        ),
    ],
    ids=str,
)
def test_what_is_said_is_written(spans: Spans, said: dict[str, Any], written: dict[str, Any]) -> None:
    with ao.session() as session:
        session.record_score("n", **said)
    [event] = spans.root().events
    assert event.attributes == {"gen_ai.evaluation.name": "n", **written}


def test_a_number_is_written_as_a_float(spans: Spans) -> None:
    with ao.session() as session:
        session.record_score("n", 3)
    [event] = spans.root().events
    assert isinstance((event.attributes or {})["gen_ai.evaluation.score.value"], float)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_wrong_scores_write_nothing(spans: Spans, logs: Logs, wrong: float) -> None:
    with ao.session() as session, pytest.raises(ValueError, match="value must be a finite number"):
        session.record_score("n", wrong)
    assert logs.events(NAME) == []


class TestProcesses:
    def test_a_score_in_another_process_finds_its_session_by_the_store(self, deaths: Deaths, tmp_path: Path) -> None:
        database = str(tmp_path / "sessions")
        assert deaths.run("shared_store", database, "starts").quiet == (0, "")
        died = deaths.run("shared_store", database, "scores")
        assert died.quiet == (0, "")
        root = died.only_session(COMPLETED)
        event = died.event(NAME, root)
        assert event.span_id == root.span_id
        assert event.attributes == {
            "session.id": "first",
            "gen_ai.conversation.id": "c",
            "gen_ai.evaluation.name": "helpful",
            "gen_ai.evaluation.score.value": 0.5,
        }

    def test_a_program_without_logs_sends_it_as_a_span(self, deaths: Deaths, tmp_path: Path) -> None:
        database = str(tmp_path / "sessions")
        assert deaths.run("shared_store", database, "starts").quiet == (0, "")
        died = deaths.run("shared_store", database, "scores", setup="own")
        assert died.quiet == (0, "")
        [root] = died.receiver.sessions()
        assert died.span(NAME).parent_id == root.span_id
