"""LLM calls of a program that does nothing but `init`."""

from __future__ import annotations

import pytest

pytest.importorskip("openai")
pytest.importorskip("opentelemetry.instrumentation.genai.openai")

from llm_server import LLMServer
from support.deaths import Deaths


@pytest.mark.parametrize("imported", ["before", "after"])
def test_are_spans_of_the_session_wherever_the_client_is_imported(deaths: Deaths, imported: str) -> None:
    with LLMServer() as server:
        died = deaths.run("compat_llm_calls", server.url, imported)
    assert died.quiet == (0, "")
    [root] = died.receiver.sessions()
    assert died.span("chat gpt-5-mini").parent_id == root.span_id
    assert root.attributes["agentops.session.inference.calls"] == 1


def test_are_none_where_they_are_not_wanted(deaths: Deaths) -> None:
    with LLMServer() as server:
        died = deaths.run("compat_llm_calls", server.url, "unwanted")
    assert died.quiet == (0, "")
    assert [span.name for span in died.receiver.spans] == ["session default"]
