"""Every command and snippet of the README, and of two pages in docs, does what it says."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
import shlex
import sys
from pathlib import Path

import pytest
from support.otlp import Receiver
from support.programs import Outcome, run

import agentops_otel as ao
from agentops_otel import environment_variables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ACROSS, ZERO_CODE = ((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("across.md", "zero-code.md"))
BIN = Path(sys.executable).parent


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line]


def installed(command: str) -> list[str]:
    """The last part of a README command, with the programs of this environment."""
    words = shlex.split(command.rpartition("&&")[2])
    return [str(BIN / Path(words[0]).name), *words[1:]]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """What the first command of the README printed, and its store."""
    store = tmp_path_factory.mktemp("store")
    # The example imports its neighbours, so its own folder has to be on the path, as it is for everybody.
    env = {"OTEL_PYTHON_AGENTOPS_STORE": str(store), "PYTHONSAFEPATH": "", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ""}
    return run(installed(commands()[0]), env, cwd=ROOT, timeout=90), store


@pytest.mark.parametrize(
    "snippet",
    [*blocks("python"), *blocks("python", ACROSS), *blocks("python", ZERO_CODE)],
    ids=lambda text: text.splitlines()[-1][:30],
)
def test_python_snippets_run_and_their_sessions_arrive(snippet: str, receiver: Receiver, tmp_path: Path) -> None:
    program = tmp_path / "snippet.py"
    program.write_text(
        snippet if "configure(" in snippet else f"import agentops_otel\nagentops_otel.configure()\n{snippet}"
    )

    outcome = run([sys.executable, str(program)], receiver.environment(), timeout=60)

    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert bool(receiver.sessions()) is not ("capture_sessions" in snippet)
    assert {root.attributes["agentops.session.end_state"] for root in receiver.sessions()} <= {"success"}


def test_the_first_command_ends_with_the_trees_of_five_sessions(example: tuple[Outcome, Path]) -> None:
    outcome, _ = example

    assert outcome.returncode == 0
    # The tests have two vendors' instrumentations of one client, of which one is left out.
    trees = [line for line in outcome.stderr.splitlines() if not line.startswith("the instrumentation ")]
    roots = [line.split() for line in trees if not line.startswith(("├", "└", "│", " "))]
    assert [(root[0], root[1], root[2]) for root in roots] == [
        ("research", "success", "completed"),
        ("research", "error", "exception"),
        ("forgotten", "unknown", "garbage_collected"),
        ("chat", "unknown", "process_exit"),
        ("worker", "unknown", "signal"),
    ]
    assert sum("chat gpt-4o-mini" in line for line in trees) == 7
    assert "tokens" in outcome.stderr


def test_sessions_and_show_print_what_was_stored(example: tuple[Outcome, Path]) -> None:
    outcome, store = example
    listing, show = (command for command in commands() if command.startswith("agentops-otel s"))
    ids = re.findall(r"\b[0-9a-f]{32}\b", outcome.stderr)
    env = {"OTEL_PYTHON_AGENTOPS_STORE": str(store)}

    listed = run(installed(listing), env)
    shown = run(installed(show.replace("SESSION_ID", ids[0])), env)

    assert listed.returncode == shown.returncode == 0
    assert all(session_id in listed.stdout for session_id in ids)
    assert "execute_tool calculate" in shown.stdout


def test_both_set_up_commands_are_run_by_ci() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    first, second = commands()[:2]

    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert second.endswith(".venv/bin/pytest")
    for command in (first, second):
        pattern = re.search(r"grep -F '([^']*" + re.escape(Path(shlex.split(command)[-1]).name) + ")' README", ci)
        assert pattern is not None
        assert [line for line in README.splitlines() if pattern[1] in line] == [command]


def test_every_end_reason_is_explained() -> None:
    for reason in ao.EndReason:
        assert f"`{reason.value}`" in README


def test_recover_finds_nothing_where_nothing_was_left(tmp_path: Path) -> None:
    [recover] = (command for command in commands() if command.startswith("agentops-otel recover"))

    recovered = run(installed(recover), {"OTEL_PYTHON_AGENTOPS_JOURNAL": str(tmp_path)})

    assert (recovered.returncode, recovered.stderr) == (0, "")


def test_the_doctor_finds_nothing_wrong(tmp_path: Path) -> None:
    [command] = [command for command in commands() if command == "agentops-otel doctor"]

    found = run(installed(command), {"OTEL_PYTHON_AGENTOPS_JOURNAL": str(tmp_path)})

    assert (found.returncode, found.stderr) == (0, "")
    assert "Nothing is wrong." in found.stdout


def test_the_extras_of_frameworks_are_there() -> None:
    rows = README.partition("| framework | extra |")[2].partition("\n\n")[0].splitlines()[2:]
    named = {extra for row in rows for extra in re.findall(r"`([\w-]+)`", row.split("|")[2])}
    there = set(importlib.metadata.metadata("agentops-otel-sessions").get_all("Provides-Extra") or ())

    assert named == there - {"cli", "cost", "examples", "test"}


def test_every_setting_is_listed() -> None:
    options = set(inspect.signature(ao.configure).parameters) - {"service_name", "tracer_provider"}
    table = README.partition("## Settings")[2]

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"configure"} == options
    internal = {environment_variables.OTEL_PYTHON_AGENTOPS_RUN_ID}
    known = {name for name in vars(environment_variables) if name.startswith("OTEL_")}
    assert set(re.findall(r"`(OTEL_PYTHON_AGENTOPS_\w+)`", table)) == known - internal
