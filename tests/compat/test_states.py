"""End states, in every spelling that there was."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry.trace import StatusCode
from support.spans import Spans, attributes, ending

import agentops_otel as ao
import agentops_otel.compat as agentops
from agentops_otel.compat.states import EndState, parse

SEEN = {
    "success": ["Success", "Succeeded", "SUCCESS", "OK"],
    "error": ["Fail", "Failed", "FAILED", "Failure", "ERROR", "Error"],
    "unknown": ["Indeterminate", "UNSET", "Unknown"],
}


@pytest.mark.parametrize("in_front", ["", "StatusCode.", "TraceState."])
@pytest.mark.parametrize("spelled", [str, str.lower, str.upper, str.title, lambda word: f" {word} "])
@pytest.mark.parametrize(("state", "word"), [(state, word) for state, words in SEEN.items() for word in words])
def test_every_spelling_is_understood(
    state: str, word: str, spelled: Any, in_front: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert parse(in_front + spelled(word)) == state
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (agentops.SUCCESS, "success"),
        (agentops.ERROR, "error"),
        (agentops.UNSET, "unknown"),
        (StatusCode.OK, "success"),
        (StatusCode.ERROR, "error"),
        (StatusCode.UNSET, "unknown"),
        *((state, state.value) for state in ao.EndState),
        *zip(EndState, ("success", "error", "unknown"), strict=True),
        *((state.value, parse(state)) for state in EndState),
    ],
)
def test_members_of_enumerations_are_understood(said: object, state: str) -> None:
    assert parse(said) == state


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("said", ["Finished", "", "42", 42, None, object, Unprintable()])
def test_what_is_no_state_is_unknown_and_warned_of_once(said: object, caplog: pytest.LogCaptureFixture) -> None:
    assert [parse(said), parse(said)] == ["unknown", "unknown"]
    [record] = caplog.records
    assert (record.name, record.levelno) == ("agentops_otel", logging.WARNING)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("Success", ("success", "completed", "OK")),
        ("Fail", ("error", "completed", "ERROR")),
        ("Indeterminate", ("unknown", "completed", "UNSET")),
    ],
)
def test_the_state_stands_on_the_root(spans: Spans, said: str, end: tuple[str, str, str]) -> None:
    agentops.end_trace(agentops.start_trace("t"), said)
    assert ending(spans.root()) == end


def test_what_is_no_state_is_kept(spans: Spans) -> None:
    agentops.end_trace(agentops.start_trace("first"), "Escalation_Required")
    agentops.start_trace("second")
    agentops.end_trace(end_state="Emergency_Shutdown")
    agentops.end_trace(agentops.start_trace("third"), "Success")
    kept = [attributes(root).get("agentops.legacy.end_state") for root in spans.roots()]
    assert kept == ["Escalation_Required", "Emergency_Shutdown", None]
    assert [ending(root)[0] for root in spans.roots()] == ["unknown", "unknown", "success"]


def test_a_trace_state_is_its_status() -> None:
    assert [(str(state), state.to_status_code()) for state in agentops.TraceState] == [
        ("SUCCESS", StatusCode.OK),
        ("ERROR", StatusCode.ERROR),
        ("UNSET", StatusCode.UNSET),
    ]
