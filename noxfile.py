"""What can be run on this project: ``nox -l`` lists it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

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
    "msgspec==0.19.0",
    "platformdirs==4.2.0",
]
COMPAT = {
    # Releases that still call the AgentOps SDK, and what else of that time they need.
    "camel-ai": ["camel-ai==0.2.90", "mcp<2"],
    "llama-index-callbacks-agentops": ["llama-index-core<0.13", "llama-index-llms-openai<0.5"],
    "crewai": ["crewai==0.100.0", "setuptools<81"],
    # For its snippet in docs/migrating.md.
    "langchain": ["langchain-openai", "opentelemetry-instrumentation-genai-langchain>=1.0b0,<2"],
}
"""What the environment of each package has that calls the AgentOps SDK itself."""

NEEDS_THE_COMMAND_LINE = ["--ignore=tests/cli", "--ignore=tests/test_readme.py", "--ignore=tests/test_examples.py"]


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
    tools = ["pytest>=8.3", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "hypothesis>=6.100", "rotel>=0.0.1a15"]
    session.install(".", *LOWEST, *tools, "opentelemetry-instrumentation-threading==0.60b0")
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
    session.install(".[test]")
    session.run("python", "tests/benchmarks/run.py", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Kills random programs of sessions at random instants; ``-- --kills 1000`` is the long run. Then full speed."""
    session.install(".[test]")
    session.run("python", "tests/chaos/run.py", *session.posargs)
    many = {**INSTALLED, "AGENTOPS_TEST_MANY": "200000"}
    session.run("pytest", "tests/journal/test_delivery.py", "-k", "at_full_speed", env=many)


@nox.session(python="3.11")
@nox.parametrize("user", list(COMPAT), ids=list(COMPAT))
def compat(session: nox.Session, user: str) -> None:
    """Packages that call the AgentOps SDK, without it, each in an environment: ``nox -s "compat(crewai)"``."""
    tools = ["pytest>=8.3", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "hypothesis>=6.100", "rotel>=0.0.1a15"]
    session.install(".[cli]", *COMPAT[user], *tools)
    if user == "llama-index-callbacks-agentops":
        # It requires the AgentOps SDK, which is what must not be there.
        session.install("--no-deps", "llama-index-callbacks-agentops<0.4")
    tests = ["tests/compat/users", "tests/compat/test_migrating.py"]
    session.run("pytest", *tests, *session.posargs, env={**INSTALLED, "AGENTOPS_TEST_COMPAT": user})


@nox.session
def collector(session: nox.Session) -> None:
    """Builds the official OpenTelemetry Collector (needs Go) and runs the tests that need it."""
    if shutil.which("go") is None:
        session.skip("Go is not installed")
    session.install(".[test]")
    session.run("python", "tests/support/build_collector.py", str(COLLECTOR))
    env = {**INSTALLED, "AGENTOPS_TEST_COLLECTOR": str(COLLECTOR / "otelcol")}
    session.run("pytest", "tests/test_collectors.py", *session.posargs, env=env)


@nox.session
def demo(session: nox.Session) -> None:
    """The example agent."""
    session.install(".[examples]")
    os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    session.run("agentops-otel", "run", "examples/research_agent.py", *session.posargs)
