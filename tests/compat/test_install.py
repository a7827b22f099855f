"""``import agentops``, served to code that cannot be changed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from support import programs
from support.otlp import Receiver

from agentops_otel.config import Config

NOWHERE = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def run(code: str, env: Mapping[str, str] = NOWHERE, *before: str) -> str:
    """What a program prints; it must end well and say nothing else."""
    outcome = programs.run([*before, "-c", textwrap.dedent(code)], env)
    assert (outcome.returncode, outcome.stderr) == (0, ""), outcome
    return outcome.stdout


def test_the_package_and_its_submodules_are_there() -> None:
    assert (
        run("""
            import agentops_otel.compat
            agentops_otel.compat.install()
            agentops_otel.compat.install()

            import agentops
            import agentops.sdk.decorators
            from agentops.sdk.decorators import agent, operation, session, task, tool, trace, workflow, guardrail
            from agentops.sdk.core import TraceContext, tracer
            from agentops.sdk import operation as of_sdk
            from agentops.enums import SUCCESS, TraceState
            from agentops.semconv import SpanAttributes, SpanKind
            from agentops.semconv.span_kinds import AgentOpsSpanKindValues
            from agentops.legacy import ActionEvent, ErrorEvent, Session, end_session, start_session
            from agentops.legacy.event import EventType, LLMEvent
            from agentops.client import Client
            from agentops.validation import ValidationError

            from agentops.agent import track_agent
            from agentops.decorators import record_action, record_function, record_tool
            from agentops.enums import EndState
            from agentops.event import ActionEvent, Event
            from agentops.session import Session as OfSession

            assert agentops.session is session is agentops.sdk.decorators.session
            assert agentops.agent is agent and agentops.track_agent is track_agent
            assert agentops.record_action is record_action and agentops.EndState is EndState
            assert agentops.Event is Event and agentops.Session is OfSession
            assert agentops.operation is operation is of_sdk
            assert agentops.TraceState is TraceState and agentops.Client is Client
            assert agentops.TraceContext is TraceContext and agentops.legacy.Session is agentops.Session
            assert agentops.LLMEvent is LLMEvent and agentops.tracer is tracer
            print(sorted(name for name in agentops.__dict__ if name.startswith("start")))
        """)
        == "['start_session', 'start_trace']\n"
    )


def test_those_who_look_whether_it_is_installed_find_it() -> None:
    assert (
        run("""
            import importlib.metadata, importlib.util
            import agentops_otel.compat
            agentops_otel.compat.install()
            assert importlib.util.find_spec("agentops") is not None
            assert importlib.util.find_spec("agentops.sdk.decorators") is not None
            assert importlib.util.find_spec("agentops.instrumentation") is None
            assert not [one for one in importlib.metadata.distributions() if one.name == "agentops"]
            print(importlib.metadata.version("agentops"))
        """)
        == "0.4.21\n"
    )


def test_what_is_not_served_cannot_be_imported() -> None:
    assert (
        run("""
            import agentops_otel.compat
            agentops_otel.compat.install()
            try:
                import agentops.instrumentation.common
            except ModuleNotFoundError as error:
                print(error)
        """)
        == "No module named 'agentops.instrumentation'\n"
    )


def test_nothing_is_served_without_it() -> None:
    assert run("import agentops_otel.compat, sys; print('agentops' in sys.modules)") == "False\n"


def real_package(folder: Path) -> dict[str, str]:
    """An environment in which another package of this name is installed."""
    (folder / "agentops").mkdir()
    (folder / "agentops" / "__init__.py").write_text("REAL = True\n")
    info = folder / "agentops-0.3.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentops\nVersion: 0.3.9\n")
    return {**NOWHERE, "MORE_PATH": str(folder)}


def test_it_is_refused_if_the_real_package_is_imported_already(tmp_path: Path) -> None:
    out = run(
        """
        import os, sys
        sys.path.append(os.environ["MORE_PATH"])
        import agentops
        import agentops_otel.compat
        try:
            agentops_otel.compat.install()
        except RuntimeError as error:
            print(error)
        assert agentops.REAL
        """,
        real_package(tmp_path),
    )
    assert str(tmp_path) in out
    assert "before the first `import agentops`" in out


def test_a_package_that_is_installed_but_not_imported_is_not_used(tmp_path: Path) -> None:
    out = run(
        """
        import importlib.metadata, os, sys
        sys.path.append(os.environ["MORE_PATH"])
        import agentops_otel.compat
        agentops_otel.compat.install()
        import agentops
        print(hasattr(agentops, "REAL"), importlib.metadata.version("agentops"))
        """,
        real_package(tmp_path),
    )
    assert out == "False 0.3.9\n"


UNCHANGED = """
import agentops
from agentops.sdk.decorators import operation

agentops.init(api_key="00000000-0000-0000-0000-000000000000", default_tags=["a"])

@operation
def work():
    return 1

work()
agentops.end_session("Success")
"""


def test_the_instrumentor_serves_it_where_the_environment_says_so(receiver: Receiver, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(UNCHANGED)
    started = tmp_path / "started.py"
    started.write_text(
        "import runpy, sys\n"
        "from agentops_otel.instrumentation import AgentOpsInstrumentor\n"
        "AgentOpsInstrumentor().instrument()\n"
        "runpy.run_path(sys.argv[1])\n"
    )
    names = {"OTEL_PYTHON_AGENTOPS_COMPAT": "1", "OTEL_PYTHON_AGENTOPS_SPAN_NAMES": "agentops"}
    outcome = programs.run([started, program], {**receiver.environment(), **names})
    assert outcome.returncode == 0, outcome
    assert sorted(span.name for span in receiver.spans) == ["default.session", "work.task"]
    [root] = receiver.sessions()
    assert root.attributes["agentops.tags"] == ("a",)


def test_the_instrumentor_says_so_if_it_cannot(tmp_path: Path) -> None:
    env = real_package(tmp_path)
    code = textwrap.dedent("""
        import os, sys
        sys.path.append(os.environ["MORE_PATH"])
        import agentops
        from agentops_otel.instrumentation import AgentOpsInstrumentor
        AgentOpsInstrumentor().instrument()
    """)
    outcome = programs.run(["-c", code], {**env, "OTEL_PYTHON_AGENTOPS_COMPAT": "true"})
    assert outcome.returncode == 0
    [line] = outcome.stderr.splitlines()
    assert line.startswith("OTEL_PYTHON_AGENTOPS_COMPAT: the package agentops is imported already")


@pytest.mark.parametrize(
    ("text", "is_on", "warnings"),
    [("1", True, 0), ("true", True, 0), ("0", False, 0), ("false", False, 0), ("", False, 0), ("yes", False, 1)],
)
def test_the_environment_switches_it_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str, is_on: bool, warnings: int
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_AGENTOPS_COMPAT", text)
    assert Config.from_environment().compat is is_on
    assert len(caplog.records) == warnings


class TestWhereItIsSent:
    """A TracerProvider that `init` builds itself."""

    CODE = """
        import agentops_otel.compat as agentops
        agentops.init(api_key="k", {arguments})
        agentops.end_session("Success")
    """

    def test_is_where_exporter_endpoint_says(self, receiver: Receiver) -> None:
        endpoint = receiver.environment()["OTEL_EXPORTER_OTLP_ENDPOINT"]
        for given in (endpoint, f"{endpoint}/v1/traces"):
            run(self.CODE.format(arguments=f"exporter_endpoint={given!r}"), {})
        assert [root.name for root in receiver.sessions()] == ["session default"] * 2
        assert [log.event_name for log in receiver.logs] == ["session.start", "session.end"] * 2

    def test_is_over_grpc_on_its_port(self, receiver: Receiver) -> None:
        environment = receiver.environment("grpc")
        endpoint = environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
        protocol = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        run(self.CODE.format(arguments=f"exporter_endpoint={endpoint!r}"), protocol)
        assert len(receiver.sessions()) == 1

    def test_is_where_the_old_variable_says(self, receiver: Receiver) -> None:
        endpoint = receiver.environment()["OTEL_EXPORTER_OTLP_ENDPOINT"]
        run(self.CODE.format(arguments=""), {"AGENTOPS_EXPORTER_ENDPOINT": f"{endpoint}/v1/traces"})
        assert len(receiver.sessions()) == 1

    def test_is_never_the_vendor(self, receiver: Receiver) -> None:
        vendor = "https://otlp.agentops.ai/v1/traces"
        run(self.CODE.format(arguments=f"exporter_endpoint={vendor!r}"), receiver.environment())
        assert len(receiver.sessions()) == 1
