"""Boundaries of agent frameworks: fitted when the framework is imported, given back, harmless where it is another one.

The frameworks here are small packages of the test's own. What real ones do is in tests/frameworks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.programs import Outcome, run

from agentops_otel.instrumentation.frameworks.wrapping import NotThere, Wrapping

COMPLETE = """
class Runner:
    @classmethod
    async def run(cls, agent): return "answered"
    @classmethod
    def run_sync(cls, agent): return "answered"
    @classmethod
    def run_streamed(cls, agent): return "answered"
"""
TRACING = """
class Processor:
    def on_trace_start(self, trace): print("taken")
    def on_span_end(self, span): print("taken")
_default = Processor()
def default_processor(): return _default
"""


class Installed:
    """A directory with what is installed as "openai-agents", and a program that uses it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def agents(self, source: str) -> None:
        """Has this as the package."""
        package = self._directory / "agents"
        (package / "tracing").mkdir(parents=True)
        (package / "__init__.py").write_text("from . import tracing\n" + source)
        (package / "tracing" / "__init__.py").write_text("from . import processors\n")
        (package / "tracing" / "processors.py").write_text(TRACING)

    def distribution(self, version: str) -> None:
        """Has it be of the framework."""
        info = self._directory / f"openai_agents-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: openai-agents\nVersion: {version}\n")

    def run(self, code: str, **env: str) -> Outcome:
        """Runs a program in which agentops is instrumented from the start."""
        start = (
            f"import sys; sys.path.insert(0, {str(self._directory)!r})\n"
            "from agentops_otel.instrumentation import AgentOpsInstrumentor\n"
            "instrumentor = AgentOpsInstrumentor()\n"
            "instrumentor.instrument()\n"
        )
        return run(["-c", start + code], env)


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


class TestAFramework:
    def test_is_not_imported_for_our_sake(self, installed: Installed) -> None:
        installed.agents("print('imported')")
        installed.distribution("1.0")
        outcome = installed.run("print('agents' in sys.modules)")
        assert (outcome.stdout, outcome.stderr) == ("False\n", "")

    def test_is_fitted_when_it_is_imported_and_given_back(self, installed: Installed) -> None:
        installed.agents(COMPLETE + "originals = dict(vars(Runner))\n")
        installed.distribution("1.0")
        outcome = installed.run(
            "import agents, asyncio\n"
            "names = ('run', 'run_sync', 'run_streamed')\n"
            "def here(): return [vars(agents.Runner)[name] is agents.originals[name] for name in names]\n"
            "def work():\n"
            "    assert asyncio.run(agents.Runner.run(1)) == agents.Runner.run_sync(1) == 'answered'\n"
            "    agents.tracing.processors.default_processor().on_trace_start(1)\n"
            "for i in range(2):\n"
            "    print(here()); work()\n"
            "    instrumentor.uninstrument()\n"
            "    print(here()); work()\n"
            "    instrumentor.instrument()\n"
        )
        wrapped, original = str([False] * 3), str([True] * 3)
        assert outcome.stdout.splitlines() == [wrapped, original, "taken"] * 2
        assert outcome.stderr.count("OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT=true") == 1
        assert len(outcome.stderr.splitlines()) == 1

    def test_that_is_imported_already_is_fitted_at_once(self, installed: Installed) -> None:
        installed.agents(COMPLETE + "original = vars(Runner)['run']\n")
        installed.distribution("1.0")
        outcome = installed.run(
            "instrumentor.uninstrument()\n"
            "import agents\n"
            "print(vars(agents.Runner)['run'] is agents.original)\n"
            "instrumentor.instrument()\n"
            "print(vars(agents.Runner)['run'] is agents.original)\n"
        )
        assert (outcome.stdout, outcome.stderr) == ("True\nFalse\n", "")

    @pytest.mark.parametrize("source", ["", COMPLETE.replace("def run_streamed", "def stream")])
    def test_of_another_time_costs_one_line_and_is_left_as_it_is(self, installed: Installed, source: str) -> None:
        installed.agents(source)
        installed.distribution("99.0")
        outcome = installed.run(
            "import agents, wrapt; print(str(vars(getattr(agents, 'Runner', agents))).count('Wrapper'))"
        )
        missing = "Runner.run_streamed" if source else "Runner.run"
        assert outcome.stdout == "0\n"
        [line] = outcome.stderr.splitlines()
        assert line.startswith(f"openai-agents 99.0 has no {missing}: it is too old or too new for agentops_otel")

    def test_is_not_every_package_of_that_name(self, installed: Installed) -> None:
        installed.agents("")
        outcome = installed.run("import agents")
        assert (outcome.returncode, outcome.stderr) == (0, "")

    def test_sends_to_where_it_wants_if_the_user_says_so(self, installed: Installed) -> None:
        installed.agents(COMPLETE)
        installed.distribution("1.0")
        code = "import agents; agents.tracing.processors.default_processor().on_trace_start(1)"
        outcome = installed.run(code, OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT="true")
        assert (outcome.stdout, outcome.stderr) == ("taken\n", "")


class Base:
    def inherited(self) -> str:
        return "inherited"


class Owner(Base):
    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @staticmethod
    def static(word: str) -> str:
        return word

    def method(self) -> str:
        return "method"


@pytest.fixture
def wrapping() -> Iterator[Wrapping]:
    framework: Any = ModuleType("framework")
    framework.Owner = Owner
    framework.function = lambda: "function"
    wrapping = Wrapping(framework)
    before = dict(vars(Owner))
    yield wrapping
    wrapping.undo()
    assert dict(vars(Owner)) == before
    assert not wrapping.is_done


def twice(wrapped: Any, instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return wrapped(*args, **kwargs) * 2


class TestWrapping:
    def test_keeps_every_kind_of_function(self, wrapping: Wrapping) -> None:
        for name in ("of_class", "static", "method", "inherited"):
            wrapping.wrap(f"Owner.{name}", twice)
        wrapping.wrap("function", twice)
        owner = Owner()
        assert (Owner.of_class(), owner.of_class()) == ("OwnerOwner", "OwnerOwner")
        assert (Owner.static("a"), owner.static("b")) == ("aa", "bb")
        assert (owner.method(), owner.inherited(), Base().inherited()) == (
            "methodmethod",
            "inheritedinherited",
            "inherited",
        )
        assert wrapping.framework.function() == "functionfunction"

    def test_what_is_wrapped_again_by_others_goes_through(self, wrapping: Wrapping) -> None:
        framework: Any = wrapping.framework
        wrapping.wrap("function", twice)
        ours = framework.function
        framework.function = lambda: f"theirs {ours()}"
        wrapping.undo()
        assert framework.function() == "theirs function"

    @pytest.mark.parametrize("path", ["missing", "missing.method", "Owner.missing"])
    def test_what_is_missing_is_named(self, wrapping: Wrapping, path: str) -> None:
        with pytest.raises(NotThere, match=f"^{path}$"):
            wrapping.wrap(path, twice)

    def test_is_undone_from_the_latest_on(self, wrapping: Wrapping) -> None:
        undone: list[int] = []
        for number in range(3):
            wrapping.undo_by(lambda number=number: undone.append(number))  # type: ignore[misc]
        assert wrapping.is_done
        wrapping.undo()
        assert undone == [2, 1, 0]
