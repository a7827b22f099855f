"""What can be run on this project: ``nox -l`` lists it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
COLLECTOR = Path(__file__).parent / ".collector"

# The lowest version of every core dependency; the command line needs newer ones, so its tests are left out there.
LOWEST = [
    "opentelemetry-api==1.39.0",
    "opentelemetry-sdk==1.39.0",
    "opentelemetry-exporter-otlp==1.39.0",
    "opentelemetry-instrumentation==0.60b0",
    "opentelemetry-semantic-conventions==0.60b0",
    "wrapt==1.17.0",
    "packaging==22.0",
    "msgspec==0.19.0",
    "platformdirs==4.2.0",
]
COMPAT = {
    # Releases that still call the AgentOps SDK, and what else of that time they need.
    "camel-ai": [".[openai]", "camel-ai==0.2.90", "mcp<2"],
    "llama-index-callbacks-agentops": ["llama-index-core<0.13", "llama-index-llms-openai<0.5"],
    "crewai": [".[openai]", "crewai==0.100.0", "setuptools<81"],
    # Not users of it: for snippets of docs/migrating.md, and what programs of AgentOps do with these.
    "openai-agents": [".[openai-agents]", "openai-agents"],
    "langchain": ["langchain-openai", "opentelemetry-instrumentation-genai-langchain>=1.0b0,<2"],
}
"""What the environment of each package has that calls the AgentOps SDK itself."""

FRAMEWORKS = {
    "openai": [".[openai]", "openai"],
    "anthropic": [".[anthropic]", "anthropic>=2.12"],
    "openai-agents": [".[openai-agents]", "openai-agents"],
    "langgraph": [".[langchain]", "langgraph", "langchain", "langchain-openai"],
    "pydantic-ai": [".[pydantic-ai]", "pydantic-ai-slim[openai]"],
    "crewai": [".[crewai]", "crewai"],
    "google-adk": [".", "google-adk>=2.10", "anthropic"],
    "autogen": [".[openai]", "autogen-agentchat", "autogen-ext[openai]"],
    "smolagents": [".[smolagents]", "smolagents[openai]"],
    "strands": [".", "strands-agents[openai]>=1.50"],
    "agno": [".[agno]", "agno>=3", "openai"],
    "llama-index": [".[llama-index]", "llama-index-core", "llama-index-llms-openai"],
    "haystack": [".[openai]", "haystack-ai>=3"],
    "claude-agent-sdk": [".", "claude-agent-sdk>=0.2"],
}
"""What the environment of each agent framework has, in which tests/frameworks/test_<framework>.py is run."""

VENDORS = {
    "logfire": ["logfire"],
    "langfuse": ["langfuse>=5"],
    "traceloop": ["traceloop-sdk", "httpx"],
    "phoenix": ["arize-phoenix-otel"],
}
"""What the environment of each vendor has, in which tests/vendors is run."""

NEEDS_THE_COMMAND_LINE = ["--ignore=tests/cli", "--ignore=tests/test_readme.py", "--ignore=tests/test_examples.py"]

# What the start of a program is measured with: two frameworks and their instrumentations, beside those of the tests.
SLOW_TO_IMPORT = [
    "langchain",
    "openai-agents",
    "opentelemetry-instrumentation-genai-langchain>=1.0b0,<2",
    "opentelemetry-instrumentation-genai-openai-agents>=1.0b0,<2",
]

QUICK = "uv|virtualenv"
"""To find what goes together with a framework takes uv seconds, and others minutes."""

TOOLS = ["pytest>=8.3", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "hypothesis>=6.100"]

INSTALLED = {"AGENTOPS_TEST_INSTALLED": "1"}
"""Makes the tests check that they test what is installed."""


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, against the installed wheel."""
    session.install(".[test]")
    session.run("pytest", *session.posargs, env=INSTALLED)


@nox.session(python="3.10")
def lowest(session: nox.Session) -> None:
    """The tests of the core with the lowest versions of its dependencies."""
    session.install(".", *LOWEST, *TOOLS, "rotel>=0.0.1a15", "opentelemetry-instrumentation-threading==0.60b0")
    session.run("pytest", *NEEDS_THE_COMMAND_LINE, *session.posargs, env=INSTALLED)


@nox.session
def lint(session: nox.Session) -> None:
    """Style."""
    session.install("ruff>=0.9")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types: the package, the tests, and a file of public use that is only type-checked."""
    session.install(".[test]", "mypy>=1.14", "nox")
    session.run("mypy", "agentops_otel", "tests", "examples", "noxfile.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Time and memory against the raw SDK, as Markdown; ``-- peers`` adds other session SDKs."""
    session.install(".[test]", *SLOW_TO_IMPORT)
    session.run("python", "tests/benchmarks/run.py", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Kills random programs of sessions at random instants; ``-- --kills 1000`` is the long run. Then many spans."""
    session.install(".[test]")
    session.run("python", "tests/chaos/run.py", *session.posargs)
    many = {**INSTALLED, "AGENTOPS_TEST_MANY": "200000"}
    tests = ["tests/journal/test_delivery.py", "tests/test_memory.py", "-k", "full_speed or many_dropped"]
    session.run("pytest", *tests, env=many)


@nox.session(python="3.11", venv_backend=QUICK)
@nox.parametrize("user", list(COMPAT), ids=list(COMPAT))
def compat(session: nox.Session, user: str) -> None:
    """Packages that call the AgentOps SDK, without it, each in an environment: ``nox -s "compat(crewai)"``."""
    _install_if_it_can_be(session, ".[cli]", *COMPAT[user], *TOOLS, "rotel>=0.0.1a15")
    if user == "llama-index-callbacks-agentops":
        # It requires the AgentOps SDK, which is what must not be there.
        session.install("--no-deps", "llama-index-callbacks-agentops<0.4")
    tests = [
        f"tests/compat/{name}" for name in ("users", "test_migrating.py", "test_langchain.py", "test_llm_calls.py")
    ]
    session.run("pytest", *tests, *session.posargs, env={**INSTALLED, "AGENTOPS_TEST_COMPAT": user})


@nox.session(python="3.11", venv_backend=QUICK)
@nox.parametrize("framework", list(FRAMEWORKS), ids=list(FRAMEWORKS))
def frameworks(session: nox.Session, framework: str) -> None:
    """Programs of real agent frameworks, each in an environment of its own: ``nox -s "frameworks(openai-agents)"``."""
    _install_if_it_can_be(session, *FRAMEWORKS[framework], *TOOLS, "opentelemetry-distro>=0.60b0")
    tests = f"tests/frameworks/test_{framework.replace('-', '_')}.py"
    session.run("pytest", tests, *session.posargs, env={**INSTALLED, "AGENTOPS_TEST_FRAMEWORK": framework})


@nox.session(python="3.11", venv_backend=QUICK)
@nox.parametrize("vendor", list(VENDORS), ids=list(VENDORS))
def vendors(session: nox.Session, vendor: str) -> None:
    """Other vendors' SDKs in the same program, each in an environment of its own: ``nox -s "vendors(logfire)"``."""
    _install_if_it_can_be(session, ".", *VENDORS[vendor], *TOOLS)
    session.run("pytest", "tests/vendors", *session.posargs, env=INSTALLED)


def _install_if_it_can_be(session: nox.Session, *requirements: str) -> None:
    """Frameworks pin what they need on both sides: a release of one may not fit with that of another for a while."""
    try:
        session.install(*requirements)
    except CommandFailed:
        session.skip("it cannot be installed here")


@nox.session
def collector(session: nox.Session) -> None:
    """Builds the official OpenTelemetry Collector (needs Go) and runs the tests that need it."""
    if shutil.which("go") is None:
        session.skip("Go is not installed")
    session.install(".[test]")
    session.run("python", "tests/support/build_collector.py", str(COLLECTOR))
    env = {**INSTALLED, "AGENTOPS_TEST_COLLECTOR": str(COLLECTOR / "otelcol")}
    session.run("pytest", "-m", "collector", "tests", *session.posargs, env=env)


@nox.session
def demo(session: nox.Session) -> None:
    """The example agent."""
    session.install(".[examples]")
    os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    session.run("agentops-otel", "run", "examples/research_agent.py", *session.posargs)
