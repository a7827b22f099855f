"""Sessions arrive wherever the TracerProvider is from, and whoever attaches to it, once."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest
from support.deaths import END_REASON, END_STATE, SESSION_ID
from support.otlp import Receiver
from support.programs import Outcome, Program, script

INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")

End = Literal["exit", "signal", "shutdown"]
REASONS: Mapping[End, str] = {"exit": "process_exit", "signal": "signal", "shutdown": "provider_shutdown"}

FILE = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch:
        exporter:
          otlp_http:
            endpoint: ENDPOINT/v1/traces
instrumentation/development:
  python:
    agentops:
      exit_timeout: 4
      propagation: false
      journal: 3
      colour: blue
"""

SAID_BY_OTHERS = (
    "Configuration of configurator not loaded because agentops is set by OTEL_PYTHON_CONFIGURATOR",
    "OTEL_CONFIG_FILE is set; ignoring configurator kwargs",
)
"""What auto-instrumentation says where a configurator is chosen, and of any file."""


@dataclass(frozen=True)
class Way:
    """A way in which a program gets its TracerProvider."""

    setup: str
    env: Mapping[str, str] = field(default_factory=dict)
    has_file: bool = False

    @property
    def is_zero_code(self) -> bool:
        return self.setup == "instrumented"


DISTRO = {"OTEL_PYTHON_DISTRO": "agentops"}
CONFIGURATOR = {"OTEL_PYTHON_CONFIGURATOR": "agentops"}

WAYS = {
    "stock": Way("instrumented"),
    "distro": Way("instrumented", DISTRO),
    "configurator": Way("instrumented", CONFIGURATOR),
    "distro and configurator": Way("instrumented", DISTRO | CONFIGURATOR),
    "file": Way("instrumented", has_file=True),
    "file, distro and configurator": Way("instrumented", DISTRO | CONFIGURATOR, has_file=True),
    "before": Way("before"),
    "after": Way("after"),
    "given": Way("given"),
    "handed": Way("handed"),
    "plain": Way("plain"),
}

is_installed = bool(entry_points(group="opentelemetry_pre_instrument", name="agentops")) and INSTRUMENT.exists()
has_files = is_installed and find_spec("opentelemetry.configuration") is not None


def needs(way: Way) -> pytest.MarkDecorator:
    missing = (way.is_zero_code and not is_installed) or (way.has_file and not has_files)
    return pytest.mark.skipif(missing, reason="not installed")


each_way = pytest.mark.parametrize("way", [pytest.param(way, id=name, marks=needs(way)) for name, way in WAYS.items()])


def run(way: Way, end: End, receiver: Receiver, directory: Path) -> Outcome:
    environment = {**receiver.environment(), **way.env}
    if way.has_file:
        file = directory / "otel.yaml"
        file.write_text(FILE.replace("ENDPOINT", receiver.http_endpoint))
        environment["OTEL_CONFIG_FILE"] = str(file)
    command: list[str | Path] = [script("attached"), way.setup, end]
    if way.is_zero_code:
        command = [INSTRUMENT, sys.executable, *command]
    with Program.start(command, env=environment) as program:
        if end == "signal":
            program.wait_for_line("ready")
            program.send(signal.SIGTERM)
        return program.wait()


def unexpected(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line and not line.startswith(SAID_BY_OTHERS)]


@each_way
@pytest.mark.parametrize("end", list(REASONS))
def test_what_is_left_open_arrives_once_and_what_has_ended_too(
    way: Way, end: End, receiver: Receiver, tmp_path: Path
) -> None:
    outcome = run(way, end, receiver, tmp_path)
    ended, left, steps = ["invoke_agent ended"], ["invoke_agent left"], []
    if way.setup != "handed":  # to a framework alone: the program has no provider
        ended.append("session ended")
        left += ["session left", "left step"]
        steps.append("step")
    assert outcome.returncode == (-signal.SIGTERM if end == "signal" else 0), outcome
    assert Counter(span.name for span in receiver.spans) == Counter([*ended, *steps, *left]), (outcome, str(receiver))
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans)
    spans = {span.name: span.attributes for span in receiver.spans}
    assert {spans[name][END_REASON] for name in left} == {REASONS[end]}, str(receiver)
    assert {(spans[name][END_STATE], spans[name][END_REASON]) for name in ended} == {("success", "completed")}
    assert all(SESSION_ID in attributes for attributes in spans.values())
    said = unexpected(outcome.stderr)
    if way.has_file:
        assert "4.0 False\n" in outcome.stdout
        left_out = "an option of the agentops instrumentor is left out: "
        assert said[0] == left_out + "journal must be a path, True or False, not int"
        assert said[1].startswith(left_out + "'colour' is no option; ")
        assert len(said) == 2
    else:
        assert said == []
