"""Every command and snippet of docs/migrating.md does what it says, before and after."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest
from llm_server import LLMServer
from support.collectors import otelcol_binary
from support.otlp import Receiver, Span
from support.programs import run

from agentops_otel.cli.migration.imports import imports

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent

INSTALL = (
    "import runpy, sys, agentops_otel.compat; agentops_otel.compat.install(); "
    "runpy.run_path(sys.argv[1], run_name='__main__')"
)
FRAMEWORKS = {"crewai": "crewai", "langchain_openai": "opentelemetry.instrumentation.genai"}
"""Modules of frameworks that snippets import, and what else of these must be there."""

SECTIONS = ("Quick start", "Manual traces", "Decorators", "Several traces", "Tags and metadata", "End states")


def blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("snippet", blocks("python"), ids=lambda text: text.splitlines()[-1][:30])
def test_python_snippets_run_and_their_sessions_arrive(snippet: str, receiver: Receiver, tmp_path: Path) -> None:
    framework = next((name for name in FRAMEWORKS if f"from {name} import" in snippet), None)
    if framework and not (is_there(framework) and is_there(FRAMEWORKS[framework])):
        pytest.skip(f"{framework} is not installed: nox -s compat")
    is_before = "agentops_otel" not in snippet
    program = tmp_path / "snippet.py"
    configured = "configure(" in snippet or "init(" in snippet
    program.write_text(snippet if configured else f"import agentops_otel\nagentops_otel.configure()\n{snippet}")

    with LLMServer() as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": "none"}
        nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "HOME": str(tmp_path)}
        words: list[str | Path] = [sys.executable, *(["-c", INSTALL] if is_before else []), program]
        outcome = run(words, receiver.environment() | model | nowhere, timeout=100)

    assert outcome.returncode == 0, outcome.stderr
    assert framework or outcome.stderr == ""
    assert receiver.sessions()
    assert {root.attributes["agentops.session.end_state"] for root in receiver.sessions()} == {"success"}


@pytest.mark.parametrize("title", [*SECTIONS, "LangChain"])
def test_imports_are_changed_as_the_command_changes_them(title: str) -> None:
    before, after, _ = blocks("python", section(title))

    def imported(source: str) -> list[str]:
        return [ast.unparse(node) for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]

    assert imported(imports(ast.parse(before), before).source) == imported(after)


@pytest.mark.parametrize("title", SECTIONS)
def test_before_and_after_write_the_same(title: str, tmp_path: Path) -> None:
    before, after, _ = blocks("python", section(title))
    assert written(before, tmp_path) == written(after, tmp_path)


def written(snippet: str, directory: Path) -> list[tuple[str, object, object]]:
    """What is written by a snippet: the names of its spans, their end states and tags."""
    program = directory / "snippet.py"
    program.write_text(snippet)
    with Receiver() as receiver:
        run([sys.executable, "-c", INSTALL, str(program)], receiver.environment(), timeout=60)

        def of(span: Span) -> tuple[str, object, object]:
            return span.name, span.attributes.get("agentops.session.end_state"), span.attributes.get("agentops.tags")

        return sorted(map(of, receiver.spans), key=str)


def test_commands_change_the_imports(tmp_path: Path, receiver: Receiver) -> None:
    pytest.importorskip("click", reason="needs the extra cli")
    report, apply = blocks("sh")[0].splitlines()
    program = tmp_path / "my_app" / "bot.py"
    program.parent.mkdir()
    program.write_text(blocks("python", section("Decorators"))[0])
    env = receiver.environment() | {"PATH": f"{BIN}:/usr/bin:/bin"}

    assert run(["bash", "-c", report], env, cwd=tmp_path).returncode == 0
    applied = run(["bash", "-o", "pipefail", "-c", apply], env, cwd=tmp_path)

    assert (applied.returncode, applied.stderr) == (0, "")
    assert run(program, receiver.environment()).returncode == 0
    assert [root.name for root in receiver.sessions()] == ["session research"]


@pytest.mark.collector
def test_the_collector_takes_the_configuration(tmp_path: Path) -> None:
    binary = otelcol_binary()
    if binary is None:
        pytest.skip("needs the official Collector: nox -s collector")
    config = tmp_path / "collector.yaml"
    config.write_text(blocks("yaml")[0])

    validated = run([binary, "validate", f"--config=file:{config}"])

    assert (validated.returncode, validated.stderr) == (0, "")
