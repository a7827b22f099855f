"""Packages that call AgentOps themselves run unchanged, without it, and their sessions arrive.

Each needs an environment of its own, where the AgentOps SDK is not installed: ``nox -s compat``.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from llm_server import LLMServer
from support.otlp import Receiver, Span
from support.programs import Outcome, run

from agentops_otel import semconv

PROGRAMS = Path(__file__).parent / "programs"
INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
INSTALL = (
    "import runpy, sys, agentops_otel.compat; agentops_otel.compat.install(); "
    "runpy.run_path(sys.argv[1], run_name='__main__')"
)
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is none: these packages have a telemetry of their own."""

MODEL, TOOL = "chat gpt-4o-mini", "execute_tool population"


@dataclass(frozen=True)
class User:
    """A package, and what it tells AgentOps while its program runs.

    Attributes:
        program: programs/<program>.py
        tags: of its session.
        state, reason: how its session ends.
        spans: what it must have told, by name; it may tell more.
        attributes: what it says at the end.
    """

    program: str
    tags: tuple[str, ...]
    state: str
    reason: str
    spans: Mapping[str, int]
    attributes: Mapping[str, str]


USERS = {
    "camel-ai": User(
        *("camel_agent", ("camel",), "success", "completed"), {MODEL: 2, TOOL: 1, "invoke_agent ChatAgent": 1}, {}
    ),
    # Its handler has the client start a session, which nobody ends.
    "llama-index-callbacks-agentops": User(
        *("llama_index_agent", ("llama-index",), "unknown", "process_exit"), {MODEL: 2, TOOL: 1}, {}
    ),
    "crewai": User(
        *("crewai_crew", ("crew",), "success", "completed"),
        {TOOL: 1, "invoke_agent Agent": 1},
        {"agentops.legacy.end_state_reason": "Finished Execution"},
    ),
}


@pytest.fixture
def user() -> User:
    user = USERS.get(os.environ.get("AGENTOPS_TEST_COMPAT", ""))
    if user is None:
        pytest.skip("needs an environment of its own: nox -s compat")
    return user


def play(user: User, receiver: Receiver, way: str, directory: Path) -> tuple[Outcome, int]:
    """Runs its program to the end; how often it asked the model."""
    program = PROGRAMS / f"{user.program}.py"
    words: list[str | Path] = ["-c", INSTALL, program] if way == "install()" else [INSTRUMENT, sys.executable, program]
    with LLMServer() as server:
        env = {
            **receiver.environment(),
            "HOME": str(directory),
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_BASE": server.base_url,
            "OPENAI_API_KEY": "none",
            # CAMEL uses AgentOps where it finds a key.
            "AGENTOPS_API_KEY": "none",
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1",
            **({} if way == "install()" else {"OTEL_PYTHON_AGENTOPS_COMPAT": "1"}),
        }
        return run(words, env, cwd=directory, timeout=100), len(server.requests)


def test_the_agentops_sdk_is_not_installed(user: User) -> None:
    assert "agentops" not in {distribution.name for distribution in importlib.metadata.distributions()}


@pytest.mark.parametrize("way", ["install()", "OTEL_PYTHON_AGENTOPS_COMPAT"])
def test_its_session_arrives(user: User, way: str, receiver: Receiver, tmp_path: Path) -> None:
    outcome, requests = play(user, receiver, way, tmp_path)

    assert outcome.returncode == 0, outcome.stderr
    assert "Paris" in outcome.stdout
    assert requests > 0
    [root] = receiver.sessions()
    assert root.parent_id is None
    assert root.attributes[semconv.TAGS] == user.tags
    assert (root.attributes[semconv.END_STATE], root.attributes[semconv.END_REASON]) == (user.state, user.reason)
    assert user.attributes.items() <= root.attributes.items()
    names = Counter(span.name for span in of_session(root, receiver.spans))
    assert all(names[name] >= count for name, count in user.spans.items()), names


@pytest.mark.parametrize("way", ["install()"])
def test_its_calls_are_counted(user: User, way: str, receiver: Receiver, tmp_path: Path) -> None:
    _, requests = play(user, receiver, way, tmp_path)

    [root] = receiver.sessions()
    spans = of_session(root, receiver.spans)
    calls = [span for span in spans if span.name == MODEL]
    assert root.attributes.get("agentops.session.inference.calls", 0) == len(calls) <= requests
    for kind in ("input", "output"):
        told = sum(span.attributes[f"gen_ai.usage.{kind}_tokens"] for span in calls)
        assert root.attributes.get(f"agentops.session.usage.{kind}_tokens", 0) == told


def of_session(root: Span, spans: list[Span]) -> list[Span]:
    """The spans of a session, which are all that have its id, and all in its trace."""
    found = [span for span in spans if span.attributes.get(semconv.SESSION_ID) == root.attributes[semconv.SESSION_ID]]
    assert found == [span for span in spans if span.trace_id == root.trace_id]
    return found
