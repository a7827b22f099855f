"""`agentops-otel migrate` tells what becomes of every call of the AgentOps SDK, and changes nothing."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import Outcome, run

from agentops_otel import compat
from agentops_otel.cli.migration import counterparts
from agentops_otel.cli.migration.calls import uses
from agentops_otel.cli.migration.counterparts import KEPT, KEPT_OF, Fate
from agentops_otel.cli.migration.files import File, Skipped, read
from agentops_otel.cli.migration.imports import imports

AGENTOPS = [sys.executable, "-m", "agentops_otel.cli", "migrate"]


def migrate(*arguments: str | Path, cwd: Path) -> Outcome:
    return run([*AGENTOPS, *map(str, arguments)], cwd=cwd)


def found(source: str) -> list[tuple[int, str, str]]:
    """Line, text and fate of all but the imports."""
    return [(one.line, one.text, one.becomes.fate.value) for one in uses(ast.parse(dedent(source)))]


def rewritten(source: str) -> str:
    return imports(ast.parse(source), source).source


class TestTable:
    def test_keeps_every_public_name_of_the_compatibility_layer(self) -> None:
        assert set(KEPT) == {*compat.__all__, *compat._OF_LANGCHAIN} - {"install"}

    def test_keeps_no_attribute_that_the_objects_have_not(self) -> None:
        for kind, names in KEPT_OF.items():
            cls = getattr(compat, kind)
            source = inspect.getsource(cls)
            assert [name for name in names if not hasattr(cls, name) and f"self.{name} =" not in source] == []


class TestCalls:
    def test_are_found_with_their_lines_and_without_the_values_of_arguments(self) -> None:
        source = """
            import agentops as ops
            ops.init("secret", tags=["a"], **more)
            @ops.agent(name="x")
            class Agent: ...
        """
        assert found(source) == [(3, "ops.init(…, tags, **…)", "as is"), (4, "@ops.agent(name)", "as is")]

    def test_say_which_arguments_have_no_effect(self) -> None:
        tree = ast.parse("import agentops\nagentops.init('key', endpoint='e', tags=[])\nagentops.start_trace('name')")
        assert [use.note for use in uses(tree)] == ["without effect: api_key, endpoint", ""]

    @pytest.mark.parametrize(
        ("statement", "use"),
        [
            ("from agentops.sdk.decorators import agent as a", "a"),
            ("from agentops.sdk import decorators as d", "d.agent"),
            ("import agentops.sdk.decorators as d", "d.agent"),
            ("from agentops.agent import track_agent", "track_agent"),
            ("import agentops", "agentops.agent"),
        ],
    )
    def test_are_found_by_whatever_name(self, statement: str, use: str) -> None:
        assert found(f"{statement}\n{use}(f)") == [(2, f"{use}(…)", "as is")]

    def test_through_modules_that_are_called_otherwise_are_by_hand(self) -> None:
        [use] = uses(ast.parse("import agentops.sdk.decorators\nagentops.sdk.decorators.agent(f)"))
        assert use.becomes == (Fate.BY_HAND, "agentops_otel.compat.agent")

    def test_of_what_is_only_called_so_are_not_found(self) -> None:
        source = """
            import agentops, agentops_otel, agentops_extra
            def f(agentops):
                agentops.init()
            def g():
                from mine import agentops
                agentops.init()
            agentops_otel.session("x")
            agentops_extra.init()
            self.agentops.init()
        """
        assert found(source) == []

    def test_are_found_where_the_import_may_fail_or_comes_later(self) -> None:
        source = """
            try:
                import agentops
            except ImportError:
                agentops = None
            def use():
                agentops.end_session("Success")
                later.init()
            def get():
                global later
                import agentops as later
        """
        assert [line for line, _, _ in found(source)] == [7, 8]

    def test_of_a_class_are_not_seen_by_its_methods(self) -> None:
        source = """
            import agentops
            class A:
                agentops = other
                def f(self):
                    agentops.init()
        """
        assert [line for line, _, _ in found(source)] == [6]

    def test_of_objects_are_followed(self) -> None:
        source = """
            import agentops
            def f():
                session = None
                session = agentops.start_session(["t"])
                session.record(event)
                session.get_analytics()
                session.jwt
                use(session)
                with agentops.start_trace() as trace:
                    trace.span.set_attribute("a", 1)
        """
        assert found(source)[1:] == [
            (6, "session.record(…)", "as is"),
            (7, "session.get_analytics()", "as is"),
            (8, "session.jwt", "no counterpart"),
            (10, "agentops.start_trace()", "as is"),
            (11, "trace.span", "as is"),
        ]

    def test_that_are_no_calls_are_found(self) -> None:
        source = (
            "import agentops\nclass E(agentops.ValidationError): ...\nend(agentops.TraceState.OK)\nx = agentops.trace"
        )
        assert [text for _, text, _ in found(source)] == [
            "agentops.ValidationError",
            "agentops.TraceState.OK",
            "agentops.trace",
        ]

    def test_that_are_inside_of_calls_are_found(self) -> None:
        source = "import agentops\nagentops.record(agentops.LLMEvent(prompt=agentops.get_client()))"
        assert [text for _, text, _ in found(source)] == [
            "agentops.record(…)",
            "agentops.LLMEvent(prompt)",
            "agentops.get_client()",
        ]

    @pytest.mark.parametrize("call", ["importlib.import_module('agentops.sdk')", "set_global_handler('agentops')"])
    def test_that_import_by_a_name_are_by_hand(self, call: str) -> None:
        [(_, _, fate)] = found(call)
        assert fate == "by hand"

    def test_in_deep_expressions_are_found(self) -> None:
        source = "import agentops\nx = " + "1 + " * 2000 + "agentops.init()"
        assert found(source) == [(2, "agentops.init()", "as is")]


class TestImports:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("import agentops", "import agentops_otel.compat as agentops"),
            ("import agentops as ao", "import agentops_otel.compat as ao"),
            ("import os, agentops, sys", "import os, agentops_otel.compat as agentops, sys"),
            ("import agentops.sdk.core", "import agentops_otel.compat as agentops"),
            ("import agentops.enums as e", "import agentops_otel.compat.states as e"),
            ("from agentops import (\n    init,  # é\n    record as r,\n)", None),
            ("from agentops . sdk \\\n . decorators import agent", "from agentops_otel.compat import agent"),
            ("from agentops import enums", "from agentops_otel.compat import states as enums"),
            ("from agentops import semconv as s", "from agentops_otel.compat import semconv as s"),
            ("from agentops.semconv.tool import X", "from agentops_otel.compat.semconv import X"),
            ("from agentops import agent", "from agentops_otel.compat import agent"),
            ("from agentops.agent import track_agent", "from agentops_otel.compat import track_agent"),
            ("import agentops.decorators as d", "import agentops_otel.compat.legacy as d"),
            (
                "from agentops.partners.langchain_callback_handler import LangchainCallbackHandler as H",
                "from agentops_otel.compat import LangchainCallbackHandler as H",
            ),
            ("from agentops import *", "from agentops_otel.compat import *"),
            ("x = 'é'; from agentops import init; y", "x = 'é'; from agentops_otel.compat import init; y"),
            (
                "if x:\n\tfrom agentops import init, start_span  # why\n",
                "if x:\n\tfrom agentops_otel.compat import init\n\tfrom agentops import start_span  # why\n",
            ),
            (
                "x; from agentops import init, start_span\r\n",
                "x; from agentops_otel.compat import init; from agentops import start_span\r\n",
            ),
            ("from agentops.partners.x import Handler", "from agentops.partners.x import Handler"),
            ("from . import agentops", "from . import agentops"),
            ("from .agentops import init", "from .agentops import init"),
            ("import agentops_otel", "import agentops_otel"),
        ],
    )
    def test_change_and_nothing_else(self, before: str, after: str | None) -> None:
        assert rewritten(before) == (before.replace("agentops", "agentops_otel.compat") if after is None else after)

    @given(
        st.lists(
            st.sampled_from(
                [
                    "import agentops",
                    "x = 'ü'; from agentops import init, trace as t, start_span; y = 1",
                    "def f():\n    from agentops.sdk.decorators import (agent,\n     tool)\n    return 'é'",
                    "if 1:\n  import agentops.legacy as é, os",
                    "'''\n€\n'''",
                    "# comment é",
                ]
            )
        ),
        st.sampled_from(["\n", "\r\n"]),
    )
    @settings(deadline=None, database=None)
    def test_that_are_changed_once_are_not_changed_again(self, statements: list[str], newline: str) -> None:
        source = newline.join(statement.replace("\n", newline) for statement in statements)
        once = rewritten(source)

        names = [alias for node in ast.walk(ast.parse(once)) if isinstance(node, ast.Import) for alias in node.names]
        assert rewritten(once) == once
        assert {alias.name for alias in names} <= {"agentops_otel.compat", "agentops_otel.compat.legacy", "os"}


class TestFiles:
    def test_of_directories_are_read_once_and_links_followed(self, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        (tmp_path / "far" / "b.py").write_text("import agentops")
        project = tmp_path / "project"
        (project / "deep").mkdir(parents=True)
        (project / "a.py").write_text("import agentops")
        (project / "deep" / "to_far").symlink_to(tmp_path / "far")
        (project / "deep" / "again").symlink_to(project)
        (project / "deep" / "same.py").symlink_to(project / "a.py")

        assert [one.path.relative_to(project) for one in read([project])] == [Path("a.py"), Path("deep/to_far/b.py")]

    def test_of_others_are_not_read(self, tmp_path: Path) -> None:
        for name in (".git", "node_modules", "venv/lib", "__pycache__"):
            (tmp_path / name).mkdir(parents=True)
            (tmp_path / name / "a.py").write_text("import agentops")
        (tmp_path / "venv" / "pyvenv.cfg").touch()
        (tmp_path / "a.txt").write_text("import agentops")

        assert list(read([tmp_path])) == []

    def test_that_cannot_be_read_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "book.ipynb").write_text("import agentops")
        (tmp_path / "bytes.py").write_bytes(b"import agentops  # \xff")
        (tmp_path / "coding.py").write_text("# coding: nonsense\nimport agentops")
        (tmp_path / "deep.py").write_text("import agentops\nx = " + "(" * 5000 + ")" * 5000)
        (tmp_path / "gone.py").symlink_to("nowhere")
        (tmp_path / "loop.py").symlink_to("loop.py")
        (tmp_path / "null.py").write_text("import agentops\0")
        (tmp_path / "two.py").write_text("import agentops\nprint 'x'")
        os.mkfifo(tmp_path / "pipe.py")

        skipped = {one.path.stem: one.reason for one in read([tmp_path]) if isinstance(one, Skipped)}

        assert set(skipped) == {"book", "bytes", "coding", "deep", "gone", "loop", "null", "two", "pipe"}
        assert skipped["pipe"] == "not a file"
        assert skipped["two"].startswith(f"not Python 3.{sys.version_info.minor}, line 2")

    @pytest.mark.parametrize(
        ("coding", "newline"),
        [
            ("utf-8", "\n"),
            ("utf-8", "\r\n"),
            ("utf-8", "\r"),
            ("utf-8-sig", "\n"),
            ("latin-1", "\n"),
            ("latin-1", "\r\n"),
        ],
    )
    @pytest.mark.parametrize("name", ["a.py", "a é.py", 'a"b.py', "a\nb.py"])
    def test_are_as_they_should_be_when_the_diff_is_applied(
        self, coding: str, newline: str, name: str, tmp_path: Path
    ) -> None:
        cookie = "# coding: latin-1\n" if coding == "latin-1" else ""
        lines = f"{cookie}import agentops  # é\nx = 'ü'\nfrom agentops.enums import SUCCESS".replace("\n", newline)
        file = tmp_path / name
        file.write_bytes(lines.encode(coding))

        diff = subprocess.run(
            [*AGENTOPS, "--diff", "."], cwd=tmp_path, capture_output=True, check=True, env=environment()
        )
        subprocess.run(["git", "apply", "--verbose"], input=diff.stdout, cwd=tmp_path, check=True)

        assert file.read_bytes() == (
            lines.replace("import agentops ", "import agentops_otel.compat as agentops ")
            .replace("agentops.enums", "agentops_otel.compat")
            .encode(coding)
        )


def environment() -> dict[str, str]:
    path = os.environ.get("AGENTOPS_TEST_PYTHONPATH")
    return {"PATH": os.environ["PATH"]} | ({"PYTHONPATH": path} if path else {})


class TestCommand:
    def test_changes_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "a.py"
        file.write_text("import agentops\n")
        before = file.stat()

        migrate("a.py", "--diff", cwd=tmp_path)

        assert file.stat().st_mtime_ns == before.st_mtime_ns
        assert [child.name for child in tmp_path.iterdir()] == ["a.py"]

    @pytest.mark.parametrize(
        ("source", "status"),
        [
            ("import agentops\nagentops.init()", 0),
            ("import agentops\nagentops.start_span('x')", 1),
            ("from agentops.partners.x import Handler", 1),
            ("import agentops\nprint 'x'", 1),
            ("import os", 0),
        ],
    )
    @pytest.mark.parametrize("option", ["--diff", "--json", None])
    def test_says_by_its_status_if_everything_goes_on(
        self, source: str, status: int, option: str | None, tmp_path: Path
    ) -> None:
        (tmp_path / "a.py").write_text(source)
        assert migrate(".", *([option] if option else []), cwd=tmp_path).returncode == status

    def test_needs_a_path_that_is_there(self, tmp_path: Path) -> None:
        assert migrate("nowhere", cwd=tmp_path).returncode == 2
        assert migrate(cwd=tmp_path).returncode == 2

    def test_tells_file_by_file_what_becomes_of_the_calls(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("import agentops\nagentops.init(api_key='sk')\nagentops.start_span()\n")
        (tmp_path / "b\x1b[31m.py").write_text("from agentops.partners.autogen_logger import AutogenLogger\n")

        lines = [line.split("  ") for line in migrate(".", cwd=tmp_path).stdout.splitlines()]

        cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
        assert cells == [
            ["a.py"],
            ["1", "import agentops", "as is", "import agentops_otel.compat as agentops"],
            ["2", "agentops.init(api_key)", "as is", f"{KEPT['init']}; without effect: api_key"],
            ["3", "agentops.start_span()", "by hand", counterparts.CHANGED["start_span"]],
            ["b\\x1b[31m.py"],
            [
                *("1", "from agentops.partners.autogen_logger import AutogenLogger", "no counterpart"),
                counterparts.GONE["partners"],
            ],
            ["2 files: 2 as is, 1 by hand, 1 no counterpart"],
        ]

    def test_tells_programs_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("import agentops\nagentops.init(api_key='sk')\n")
        (tmp_path / "b.py").write_text("import agentops ?\n")

        said: Any = json.loads(migrate(".", "--json", cwd=tmp_path).stdout)

        assert [file["path"] for file in said["files"]] == ["a.py"]
        assert said["files"][0]["found"][1] == {
            "line": 2,
            "column": 1,
            "text": "agentops.init(api_key)",
            "fate": "as is",
            "becomes": KEPT["init"],
            "note": "without effect: api_key",
        }
        assert [one["path"] for one in said["skipped"]] == ["b.py"]

    def test_tells_what_is_not_read_beside_the_diff(self, tmp_path: Path) -> None:
        (tmp_path / "b.py").write_text("import agentops ?\n")
        outcome = migrate(".", "--diff", cwd=tmp_path)
        assert outcome.stdout == ""
        assert outcome.stderr.startswith("not read: b.py: not Python")


def test_a_program_whose_imports_are_changed_runs(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        dedent("""
        import agentops
        from agentops.sdk.decorators import agent, operation
        from agentops.enums import TraceState

        agentops.init("key", auto_start_session=False)

        @agent
        class Writer:
            @operation(name="write")
            def write(self):
                return "done"

        trace = agentops.start_trace("essay", tags=["a"])
        print(Writer().write())
        agentops.end_trace(trace, end_state=TraceState.SUCCESS)
        """)
    )
    [file] = read([program])
    assert isinstance(file, File)
    assert file.is_done
    program.write_text(file.after)

    outcome = run(program, {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "LOGS", "METRICS")})

    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "done\n", "")
