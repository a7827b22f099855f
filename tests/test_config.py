"""The environment variables: good values, bad ones (one warning, and the default), and that each is documented."""

from __future__ import annotations

import ast
import inspect
import json
import logging
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import programs
from support.otlp import Receiver
from support.spans import Spans, in_use

import agentops_otel as ao
from agentops_otel import config, environment_variables
from agentops_otel.config import Config

PACKAGE = Path(inspect.getfile(ao)).parent
SIGNALS, EXIT_TIMEOUT = "OTEL_PYTHON_AGENTOPS_SIGNALS", "OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT"
PROPAGATION = "OTEL_PYTHON_AGENTOPS_PROPAGATION"
JOURNAL = "OTEL_PYTHON_AGENTOPS_JOURNAL"
OTLP = [f"OTEL_EXPORTER_OTLP_{signal}{what}" for signal in ("", "TRACES_") for what in ("PROTOCOL", "ENDPOINT")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which nothing of ours is set."""
    for name in (
        SIGNALS,
        EXIT_TIMEOUT,
        PROPAGATION,
        JOURNAL,
        *config.CARRIER,
        *OTLP,
        "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN",
    ):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


class TestFromEnvironment:
    def test_unset_is_the_default(self, caplog: pytest.LogCaptureFixture) -> None:
        assert Config.from_environment() == Config() == Config(signals=True, exit_timeout=5.0)
        assert caplog.text == ""

    @pytest.mark.parametrize(
        ("text", "journal", "directory"),
        [
            ("off", False, None),
            (" FALSE ", False, None),
            ("on", True, None),
            ("true", True, None),
            (" ", True, None),
            ("/var/lib/journal", True, "/var/lib/journal"),
            ("~/journal", True, str(Path.home() / "journal")),
            ("journal", True, str(Path("journal").absolute())),
        ],
    )
    def test_journal(self, environment: pytest.MonkeyPatch, text: str, journal: bool, directory: str | None) -> None:
        environment.setenv(JOURNAL, text)
        assert Config.from_environment() == Config(journal=journal, journal_directory=directory)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("true", True),
            ("false", False),
            ("TRUE", True),
            ("False", False),
            (" false ", False),
            ("", True),
            (" ", True),
        ],
    )
    def test_signals(
        self, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str, value: bool
    ) -> None:
        environment.setenv(SIGNALS, text)
        assert Config.from_environment() == Config(signals=value)
        assert caplog.text == ""

    @pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), (" False ", False), ("", True)])
    def test_propagation(
        self, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str, value: bool
    ) -> None:
        environment.setenv(PROPAGATION, text)
        assert Config.from_environment() == Config(propagation=value)
        assert caplog.text == ""

    @pytest.mark.parametrize(
        ("text", "value"), [("0", 0.0), ("10", 10.0), ("2.5", 2.5), (" 3 ", 3.0), ("1e1", 10.0), ("", 5.0), ("  ", 5.0)]
    )
    def test_exit_timeout(
        self, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str, value: float
    ) -> None:
        environment.setenv(EXIT_TIMEOUT, text)
        assert Config.from_environment() == Config(exit_timeout=value)
        assert caplog.text == ""

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            *((SIGNALS, text) for text in ("yes", "1", "0", "on", "none", "truefalse", "\N{SNOWMAN}")),
            *((PROPAGATION, text) for text in ("no", "1")),
            *(
                (EXIT_TIMEOUT, text)
                for text in ("five", "5s", "-1", "-0.5", "nan", "inf", "-inf", "1e400", "1e10", "5,0", "{}")
            ),
        ],
    )
    def test_a_bad_value_costs_one_warning_that_names_the_variable_and_is_the_default(
        self, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, text: str
    ) -> None:
        environment.setenv(name, text)
        assert Config.from_environment() == Config()
        [record] = caplog.records
        assert (record.name, record.levelno) == ("agentops_otel", logging.WARNING)
        assert name in record.getMessage()
        assert repr(text.lower()) in record.getMessage()

    def test_each_bad_value_has_a_warning_of_its_own(
        self, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        environment.setenv(SIGNALS, "bad")
        environment.setenv(EXIT_TIMEOUT, "bad")
        assert Config.from_environment() == Config()
        assert len(caplog.records) == 2

    @given(
        signals=st.text(st.characters(codec="utf-8", exclude_characters="\0")), seconds=st.text("0123456789.e-+naif ")
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_text_raises(self, environment: pytest.MonkeyPatch, signals: str, seconds: str) -> None:
        environment.setenv(SIGNALS, signals)
        environment.setenv(EXIT_TIMEOUT, seconds)
        assert 0 <= Config.from_environment().exit_timeout < float("inf")

    def test_settings_cannot_be_changed_in_place(self) -> None:
        with pytest.raises(AttributeError):
            Config().signals = False  # type: ignore[misc]

    def test_a_bad_value_does_not_keep_a_program_from_running(self) -> None:
        code = "import agentops_otel as ao\nwith ao.session(): print('ran')"
        outcome = programs.run(["-c", code], {SIGNALS: "bad", EXIT_TIMEOUT: "bad"})
        assert (outcome.returncode, outcome.stdout) == (0, "ran\n")
        assert outcome.stderr.count(SIGNALS) == outcome.stderr.count(EXIT_TIMEOUT) == 1


class TestDocumented:
    def written(self) -> list[ast.stmt]:
        return ast.parse(inspect.getsource(environment_variables)).body

    def test_each_variable_is_named_by_its_constant_and_described_after_it(self) -> None:
        body = self.written()
        names = []
        for statement, following in zip(body, [*body[1:], ast.Pass()], strict=True):
            if isinstance(statement, ast.Assign):
                [target] = statement.targets
                assert isinstance(target, ast.Name)
                assert isinstance(statement.value, ast.Constant)
                assert target.id == statement.value.value
                assert isinstance(following, ast.Expr)
                assert isinstance(following.value, ast.Constant)
                assert isinstance(following.value.value, str)
                words = inspect.cleandoc(following.value.value)
                assert words.startswith(f".. envvar:: {target.id}\n\n")
                assert words.endswith(".")
                names.append(target.id)
        assert sorted(names) == [name for name in dir(environment_variables) if name.startswith("OTEL_")]

    def test_every_one_that_the_source_mentions_is_listed(self) -> None:
        mentioned = {
            name
            for path in PACKAGE.rglob("*.py")
            for name in re.findall(r"OTEL_PYTHON_AGENTOPS_[A-Z_]*[A-Z]", path.read_text())
        }
        assert mentioned == {name for name in dir(environment_variables) if name.startswith("OTEL_PYTHON_AGENTOPS_")}

    def test_each_one_is_used(self) -> None:
        source = "".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "environment_variables.py")
        for name in dir(environment_variables):
            if name.startswith("OTEL_"):
                assert name in source


class TestCarrier:
    """By which a program is told what it is a part of."""

    def test_is_read_from_the_environment(self, environment: pytest.MonkeyPatch) -> None:
        assert config.carrier() == {}
        environment.setenv("TRACEPARENT", "00-1-2-01")
        environment.setenv("BAGGAGE", "a=%20b")
        environment.setenv("TRACESTATE", "")
        assert config.carrier() == {"traceparent": "00-1-2-01", "baggage": "a=%20b"}

    @pytest.mark.parametrize("text", ["a=\udcff", "a=\N{SNOWMAN}"])
    def test_has_nothing_that_is_no_header(self, environment: pytest.MonkeyPatch, text: str) -> None:
        environment.setenv("TRACEPARENT", "00-1-2-01")
        environment.setenv("BAGGAGE", text)
        assert config.carrier() == {"traceparent": "00-1-2-01"}

    def test_is_a_part_of_what_is_passed_on(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("BAGGAGE", "a=b")
        passed_on = config.environment()
        assert passed_on["BAGGAGE"] == "a=b"
        passed_on.clear()
        assert config.carrier() == {"baggage": "a=b"}


class TestOtlpProtocol:
    @pytest.mark.parametrize(
        ("variables", "protocol"),
        [
            ({}, "http/protobuf"),
            ({"PROTOCOL": "grpc"}, "grpc"),
            ({"TRACES_PROTOCOL": "grpc"}, "grpc"),
            ({"TRACES_PROTOCOL": "http/protobuf", "PROTOCOL": "grpc"}, "http/protobuf"),
            ({"PROTOCOL": "", "TRACES_PROTOCOL": ""}, "http/protobuf"),
            ({"ENDPOINT": "http://localhost:4317"}, "grpc"),
            ({"ENDPOINT": "http://localhost:4317/"}, "grpc"),
            ({"ENDPOINT": "localhost:4317"}, "grpc"),
            ({"ENDPOINT": "http://localhost:4318"}, "http/protobuf"),
            ({"ENDPOINT": "https://example.com/otlp"}, "http/protobuf"),
            ({"ENDPOINT": "http://localhost:14317"}, "http/protobuf"),
            ({"TRACES_ENDPOINT": "http://localhost:4317"}, "grpc"),
            ({"TRACES_ENDPOINT": "http://localhost:4318/v1/traces", "ENDPOINT": "http://x:4317"}, "http/protobuf"),
            ({"ENDPOINT": "http://localhost:4317", "PROTOCOL": "http/protobuf"}, "http/protobuf"),
        ],
    )
    def test_is_what_is_named_or_what_the_port_says(
        self, environment: pytest.MonkeyPatch, variables: dict[str, str], protocol: str
    ) -> None:
        for name, value in variables.items():
            environment.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
        assert config.otlp_protocol() == protocol

    @pytest.mark.parametrize("variable", ["ENDPOINT", "PROTOCOL"])
    def test_configure_exports_by_it(self, receiver: Receiver, variable: str) -> None:
        code = "import agentops_otel as ao\nao.configure('svc')\nwith ao.session('s'): pass"
        env = {"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint}
        if variable == "PROTOCOL":
            env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        outcome = programs.run(["-c", code], env)
        assert (outcome.returncode, outcome.stderr) == (0, "")
        [span] = receiver.spans
        assert (span.name, span.resource["service.name"]) == ("session s", "svc")
        assert [log.event_name for log in receiver.logs] == ["session.start", "session.end"]


@pytest.mark.parametrize(("text", "value"), [(None, False), ("", False), ("  ", False), ("x", True), ("false", True)])
def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch, text: str | None, value: bool) -> None:
    if text is not None:
        environment.setenv("SOME_VARIABLE", text)
    assert config.is_set("SOME_VARIABLE") is value


EXCEPTIONS = """
import json, warnings
warnings.simplefilter("ignore")
import agentops_otel as ao
from opentelemetry import _logs
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
try: Exporter = export.InMemoryLogRecordExporter
except AttributeError: Exporter = export.InMemoryLogExporter
logs, spans = Exporter(), InMemorySpanExporter()
provider, logger_provider = TracerProvider(), LoggerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
logger_provider.add_log_record_processor(export.SimpleLogRecordProcessor(logs))
_logs.set_logger_provider(logger_provider)
ao.configure(tracer_provider=provider)
try:
    with ao.session("s", previous_id="p") as session:
        session.record_exception(KeyError("recorded"))
        raise ValueError("left the block")
except ValueError: pass
[root] = spans.get_finished_spans()
def log(record):
    return {
        "name": record.event_name, "attributes": dict(record.attributes), "severity": record.severity_text,
        "trace": record.trace_id == root.context.trace_id, "span": record.span_id == root.context.span_id,
    }
print(json.dumps({
    "events": [[event.name, dict(event.attributes)] for event in root.events],
    "logs": [log(data.log_record) for data in logs.get_finished_logs()],
    "attributes": dict(root.attributes),
}))
"""


class TestExceptionSignal:
    """Where exceptions are written: span events, log events or both."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("", ""),
            ("logs", "logs"),
            ("logs/dup", "logs/dup"),
            ("logs,logs/dup", "logs/dup"),
            ("other, logs", "logs"),
            ("other", ""),
            ("LOGS", ""),
        ],
    )
    def test_is_read_from_the_variable(self, environment: pytest.MonkeyPatch, text: str, value: str) -> None:
        environment.setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", text)
        assert config.exception_signal() == value

    @pytest.mark.parametrize(
        ("opt_in", "on_span", "in_logs"),
        [(None, True, False), ("", True, False), ("logs", False, True), ("logs/dup", True, True)],
    )
    def test_of_a_session_that_fails(self, opt_in: str | None, on_span: bool, in_logs: bool) -> None:
        env = {} if opt_in is None else {"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": opt_in}
        outcome = programs.run(["-c", EXCEPTIONS], env)
        assert (outcome.returncode, outcome.stderr) == (0, "")
        written = json.loads(outcome.stdout)
        expected = [("KeyError", "'recorded'"), ("ValueError", "left the block")]

        def told(attributes: dict[str, str]) -> tuple[str, str]:
            assert attributes["exception.type"] in attributes["exception.stacktrace"]
            return attributes["exception.type"], attributes["exception.message"]

        assert [told(said) for name, said in written["events"] if name == "exception"] == expected * on_span
        logs = [log for log in written["logs"] if log["name"] == "exception"]
        assert [told(log["attributes"]) for log in logs] == expected * in_logs
        assert all(log["trace"] and log["span"] and log["severity"] == "ERROR" for log in logs)
        assert written["attributes"]["error.type"] == "ValueError"
        start, end = (log for log in written["logs"] if log["name"] != "exception")
        assert (start["name"], end["name"]) == ("session.start", "session.end")
        assert (start["severity"], end["severity"]) == ("INFO", "ERROR")
        ids = {"session.id": written["attributes"]["session.id"], "session.previous_id": "p"}
        assert start["attributes"] == ids
        assert end["attributes"].pop("agentops.session.duration") >= 0
        assert end["attributes"] == ids | {
            "agentops.session.end_state": "error",
            "agentops.session.end_reason": "exception",
        }
        assert all(log["trace"] and log["span"] for log in (start, end))

    def test_said_error_is_of_the_type_of_the_last_recorded_exception_wherever_it_is_recorded(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        environment.setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs")
        with in_use(Spans()) as spans:
            session = ao.start_session()
            session.record_exception(ValueError("first"))
            session.end("error")
            assert (spans.root().attributes or {})["error.type"] == "ValueError"
