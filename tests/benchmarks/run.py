"""Measures the budgets against the raw SDK and prints them as Markdown.

    python tests/benchmarks/run.py [--strict] [peers]

Ratios of medians taken in turn in one process: they mean something on a busy machine, single times do not. With
``--strict`` a value over its limit makes the exit status 1. ``peers`` also measures Logfire, Langfuse and Traceloop,
each in a virtual environment of its own that is made for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    raw: str
    ours: str
    value: float
    unit: str
    at_most: float

    def __str__(self) -> str:
        verdict = "" if self.value <= self.at_most else " **over**"
        result = f"{self.value:.2f}{self.unit}{verdict}"
        return f"| {self.what} | {self.raw} | {self.ours} | {result} | {self.at_most}{self.unit} |"


def main(arguments: list[str]) -> int:
    os.environ["OTEL_PYTHON_AGENTOPS_JOURNAL"] = "off"  # where it is on, the row says so

    import benchmarks.decorated
    import benchmarks.journal
    import benchmarks.memory
    import benchmarks.spans
    import benchmarks.starting

    measured: list[Callable[[], Row]] = [
        benchmarks.spans.session_with_children,
        benchmarks.spans.session_with_model_calls,
        benchmarks.spans.session_with_journal,
        benchmarks.journal.beside_a_busy_thread,
        benchmarks.spans.child_beside_100_000_open_sessions,
        benchmarks.spans.end_with_a_slow_collector,
        benchmarks.memory.bytes_per_open_session,
        benchmarks.starting.import_time,
        benchmarks.starting.start_of_a_program,
        benchmarks.decorated.without_an_sdk,
        benchmarks.decorated.suppressed,
        benchmarks.journal.recovery_of_100_000_spans,
        benchmarks.journal.memory_of_recovery,
    ]
    print(f"CPython {sys.version.split()[0]}, {_opentelemetry_version()}\n")
    print("| what | raw SDK | with sessions | result | at most |\n|---|---|---|---|---|")
    rows = []
    for measure in measured:
        rows.append(measure())
        print(rows[-1], flush=True)
    if "peers" in arguments:
        subprocess.run([sys.executable, str(Path(__file__).parent / "peers.py")], check=True)
    return int("--strict" in arguments and any(row.value > row.at_most for row in rows))


def _opentelemetry_version() -> str:
    from importlib.metadata import version

    return f"opentelemetry-sdk {version('opentelemetry-sdk')}"


if __name__ == "__main__":
    sys.modules["benchmarks.run"] = sys.modules["__main__"]  # the rows it asks for are made by modules that import it
    sys.exit(main(sys.argv[1:]))
