"""LLM calls of a program that does nothing but `init`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("openai")
pytest.importorskip("opentelemetry.instrumentation.genai.openai")

from llm_server import LLMServer
from support.deaths import Deaths
from support.distributions import Site
from support.programs import run

DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


@pytest.mark.parametrize("imported", ["before", "after", "uninitialized"])
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


def test_of_the_openai_agents_sdk_are_loaded_by_the_name_of_its_module(deaths: Deaths) -> None:
    pytest.importorskip("opentelemetry.instrumentation.genai.openai_agents")
    with LLMServer() as server:
        died = deaths.run("compat_agents", server.base_url, env={DISABLED: ""})
    assert died.returncode == 0, died.stderr
    [root] = died.receiver.sessions()
    assert "invoke_agent greeter" in [span.name for span in died.receiver.spans]
    assert root.attributes["agentops.session.agent.calls"] == 1


@pytest.mark.parametrize(("is_installed", "said"), [(True, "instrumented by {}\n"), (False, "")])
def test_a_module_that_is_named_as_a_library_is_not_always_the_library(
    tmp_path: Path, is_installed: bool, said: str
) -> None:
    if find_spec("agents") is not None:
        pytest.skip("openai-agents is installed")
    instrumentation = "opentelemetry-instrumentation-genai-openai-agents"
    site = Site(tmp_path)
    site.instrumentation(instrumentation, "openai_agents", ["openai-agents"])
    site.install("openai-agents" if is_installed else "my-app", {"agents.py": ""})
    program = "import agentops_otel.compat as agentops; agentops.start_session(); import agents; agentops.end_session()"
    exporters = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none")
    outcome = run(["-c", program], {**site.environment, **exporters})
    assert (outcome.stdout, outcome.stderr) == (said.format(instrumentation), "")
