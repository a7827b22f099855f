"""What importing the package costs, and starting a program with it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from benchmarks.run import Row

_MEASURE = """
import time
begin = time.perf_counter()
import opentelemetry.trace, opentelemetry.context
middle = time.perf_counter()
import agentops_otel
print((middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3)
"""


def import_time() -> Row:
    """In fresh processes, above the OpenTelemetry API alone."""
    times = []
    for _ in range(21):
        # Not where the working copy would be imported, which may have no bytecode.
        where = Path(sys.executable).parent
        measure = [sys.executable, "-c", _MEASURE]
        printed = subprocess.run(measure, cwd=where, capture_output=True, text=True, check=True).stdout
        times.append(tuple(float(word) for word in printed.split()))
    api, ours = (statistics.median(column) for column in zip(*times, strict=True))
    return Row(
        "`import agentops_otel` above the OpenTelemetry API", f"{api:.0f} ms", f"{api + ours:.0f} ms", ours, " ms", 50
    )


def start_of_a_program() -> Row:
    """A program that does nothing, by `agentops-otel run` with all instrumentations that are installed here.

    Against `opentelemetry-instrument` with all of them disabled.
    """
    installed = [found for found in entry_points(group="opentelemetry_instrumentor") if found.name != "agentops"]
    bare = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}
    times = []
    for turn in range(11 + 1):
        raw = _time(["opentelemetry-instrument", sys.executable, "-c", "pass"], bare)
        ours = _time(["agentops-otel", "run", "--quiet", "-c", "pass"], {})
        if turn:  # the first writes bytecode
            times.append((raw, ours))
    raw, ours = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(second / first for first, second in times)
    return Row(
        f"`agentops-otel run -c pass` with {len(installed)} instrumentations, "
        "against `opentelemetry-instrument` with none",
        f"{raw:.2f} s",
        f"{ours:.2f} s",
        ratio,
        "",
        3,
    )


def _time(command: list[str], variables: Mapping[str, str]) -> float:
    """Seconds that a command of this environment takes, sending nothing anywhere."""
    quiet = {
        # What sends spans is loaded, as for every program, but there are none.
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_PYTHON_AGENTOPS_JOURNAL": "off",
    }
    plain = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    name, *words = command
    begin = time.perf_counter()
    subprocess.run(
        [Path(sys.executable).with_name(name), *words], env={**plain, **quiet, **variables}, check=True, timeout=120
    )
    return time.perf_counter() - begin
