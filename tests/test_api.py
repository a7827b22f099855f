"""The public names: which there are, that they are described, and what importing them costs."""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import programs

import agentops_otel as ao

REPOSITORY = Path(__file__).parent.parent
PUBLIC = {
    "EndReason",
    "EndState",
    "Session",
    "SessionSpanProcessor",
    "agent",
    "configure",
    "current_session",
    "end_all_sessions",
    "flush",
    "guardrail",
    "join_session",
    "open_sessions",
    "record_score",
    "session",
    "start_session",
    "task",
    "tool",
    "workflow",
}
OF_A_SESSION = {
    "add_tags",
    "attach",
    "carrier",
    "conversation_id",
    "end",
    "id",
    "is_open",
    "name",
    "record_exception",
    "record_score",
    "set_attribute",
    "set_attributes",
    "totals",
    "trace_id",
}


def test_all_is_what_is_public() -> None:
    assert set(ao.__all__) == PUBLIC
    assert ao.__all__ == sorted(ao.__all__)


def test_there_are_not_many_names() -> None:
    assert len(ao.__all__) <= 18


@pytest.mark.parametrize("name", sorted(PUBLIC))
class TestEveryName:
    def test_is_there(self, name: str) -> None:
        assert getattr(ao, name) is not None

    def test_is_described(self, name: str) -> None:
        words = inspect.getdoc(getattr(ao, name))
        assert words
        assert words.splitlines()[0].endswith((".", ":")) or words.splitlines()[1]

    def test_has_types(self, name: str) -> None:
        public = getattr(ao, name)
        if inspect.isfunction(public):
            signature = inspect.signature(public)
            assert signature.return_annotation is not inspect.Signature.empty
            assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())

    def test_comes_with_a_star(self, name: str) -> None:
        namespace: dict[str, object] = {}
        exec("from agentops_otel import *", namespace)
        assert namespace[name] is getattr(ao, name)


def test_members_of_a_session_are_these_and_described() -> None:
    assert {name for name in dir(ao.Session) if not name.startswith("_")} == OF_A_SESSION
    for name in OF_A_SESSION:
        assert inspect.getdoc(getattr(ao.Session, name))


@pytest.mark.parametrize("kind", [ao.EndState, ao.EndReason])
def test_enumerations_are_strings(kind: type[ao.EndState | ao.EndReason]) -> None:
    for member in kind:
        assert isinstance(member, str)
        assert member == member.value == member.name.lower()


def test_public_functions_wear_no_private_module_names() -> None:
    assert {name for name in vars(ao) if not name.startswith("_")} - PUBLIC <= {
        "TYPE_CHECKING",
        "Any",
        "annotations",
        # Modules become attributes of their package as they are imported.
        *(path.stem for path in Path(inspect.getfile(ao)).parent.iterdir()),
    }


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'agentops_otel' has no attribute 'sesion'"):
        ao.sesion  # type: ignore[attr-defined]  # noqa: B018


def test_version_is_that_of_the_distribution() -> None:
    try:
        version = importlib.metadata.version("agentops-otel-sessions")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed")
    assert ao.__version__ == version


class TestImport:
    def modules_after(self, code: str) -> set[str]:
        outcome = programs.run(["-W", "error", "-c", f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"])
        assert (outcome.returncode, outcome.stderr) == (0, "")
        return set(outcome.stdout.split())

    def test_does_not_import_the_sdk(self) -> None:
        modules = self.modules_after("import agentops_otel")
        assert "agentops_otel.api" in modules
        assert not {name for name in modules if name.startswith("opentelemetry.sdk")}

    def test_imports_nothing_that_most_programs_do_not_need(self) -> None:
        modules = self.modules_after("import agentops_otel")
        for name in ("asyncio", "multiprocessing", "wrapt", "click", "rich", "google.protobuf", "grpc", "requests"):
            assert name not in modules

    def test_does_not_import_the_processor_before_it_is_asked_for(self) -> None:
        assert "agentops_otel.processor" not in self.modules_after("import agentops_otel")
        assert "agentops_otel.processor" in self.modules_after("import agentops_otel as ao; ao.SessionSpanProcessor")

    def test_starts_no_thread_and_touches_no_hook(self) -> None:
        code = """
import signal, sys, threading
import agentops_otel
assert threading.active_count() == 1
assert sys.excepthook is sys.__excepthook__
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
        assert programs.run(["-c", code]).returncode == 0

    def test_in_any_order_gives_one_processor_class(self) -> None:
        code = """
from agentops_otel.processor import SessionSpanProcessor
import agentops_otel as ao
assert ao.SessionSpanProcessor is SessionSpanProcessor
"""
        assert programs.run(["-c", code]).returncode == 0


def test_types_are_shipped() -> None:
    assert (Path(inspect.getfile(ao)).parent / "py.typed").is_file()


def test_public_use_type_checks() -> None:
    mypy = pytest.importorskip("mypy", reason="needs mypy")
    assert mypy
    where = Path(inspect.getfile(ao)).parent.parent
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--warn-unused-ignores",
            "--python-version=3.10",
            "--cache-dir",
            os.devnull,
            f"--config-file={os.devnull}",
            REPOSITORY / "tests" / "typing" / "public_use.py",
        ],
        env={"PATH": os.environ["PATH"], "MYPYPATH": str(where) if "site-packages" not in where.parts else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(os.environ.get("AGENTOPS_TEST_INSTALLED") != "1", reason="may test the working copy")
def test_the_installed_package_is_tested() -> None:
    assert not Path(inspect.getfile(ao)).is_relative_to(REPOSITORY / "agentops_otel")
