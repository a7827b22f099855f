"""LLM calls of a program that does nothing but `init`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("openai")
pytest.importorskip("opentelemetry.instrumentation.genai.openai")

from llm_server import LLMServer
from support.deaths import Deaths

DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


@pytest.mark.parametrize("imported", ["before", "after"])
def test_are_spans_of_the_session_wherever_the_client_is_imported(deaths: Deaths, imported: str) -> None:
    with LLMServer() as server:
        died = deaths.run("compat_llm_calls", server.url, imported, env={DISABLED: ""})
    assert died.quiet == (0, "")
    [root] = died.receiver.sessions()
    assert died.span("chat gpt-5-mini").parent_id == root.span_id
    assert root.attributes["agentops.session.inference.calls"] == 1


@pytest.mark.parametrize(("disabled", "calls"), [("", 1), ("openai", 0)])
def test_are_what_auto_instrumentation_says_where_it_is_at_work(deaths: Deaths, disabled: str, calls: int) -> None:
    pytest.importorskip("opentelemetry.distro")
    instrument = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]
    with LLMServer() as server:
        died = deaths.run("compat_llm_calls", server.url, "after", before=instrument, env={DISABLED: disabled})
    assert died.quiet == (0, "")
    assert len(died.spans("chat gpt-5-mini")) == calls


@pytest.mark.parametrize(("imported", "disabled"), [("unwanted", ""), ("before", "openai"), ("after", "*")])
def test_are_none_where_they_are_not_wanted(deaths: Deaths, imported: str, disabled: str) -> None:
    with LLMServer() as server:
        died = deaths.run("compat_llm_calls", server.url, imported, env={DISABLED: disabled})
    assert died.quiet == (0, "")
    assert [span.name for span in died.receiver.spans] == ["session default"]
