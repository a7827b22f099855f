"""Other session SDKs against the raw SDK, as Markdown.

    python tests/benchmarks/peers.py [--environments DIR]

Each is installed into a virtual environment of its own and measured there by peer.py, because they do not agree on
versions of OpenTelemetry. ``--environments`` keeps the environments for the next run. One that cannot be installed or
measured gets a row that says why.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

PEERS = {
    "agentops-otel-sessions": [str(HERE.parent.parent)],
    "langfuse": ["langfuse"],
    "logfire": ["logfire"],
    "traceloop-sdk": ["traceloop-sdk", "httpx"],  # which 0.62 imports and does not require
}
"""The distribution whose version is shown, which peer.py knows too, and what pip is told to install."""

SETTINGS = {
    # The batch processors that peers make have to be like those of pipelines.provider: none exports while it is timed.
    "OTEL_BSP_MAX_QUEUE_SIZE": "32768",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "32768",
    "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    "TRACELOOP_TELEMETRY": "false",
}

PREFIXES = ("AGENTOPS_", "LANGFUSE_", "LOGFIRE_", "OTEL_", "TRACELOOP_")


class Unmeasured(Exception):
    """Says why in one line."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=Path, help="where virtual environments are kept; default: nowhere")
    kept: Path | None = parser.parse_args().environments
    with tempfile.TemporaryDirectory() as temporary:
        print("\nSession of a root and 5 children, each against the raw SDK in its own process:\n")
        print("| session SDK | raw SDK | peer | ratio | bytes per open session |\n|---|---|---|---|---|")
        for distribution, requirements in PEERS.items():
            print(_row(distribution, requirements, kept.resolve() if kept else Path(temporary)), flush=True)


def _row(distribution: str, requirements: list[str], environments: Path) -> str:
    try:
        result = _measure(distribution, requirements, environments / distribution)
    except (Unmeasured, OSError, ValueError) as error:
        why = " ".join(str(error).split()).replace("|", "/")
        return f"| {distribution} | | | not measured: {why[:200]} | |"
    size = "not offered"  # its API opens sessions only for the length of a call
    if "bytes" in result:
        size = f"{result['bytes']:.0f} ({result['bytes'] / result['raw_bytes']:.2f} of raw)"
    name = f"{distribution} {result['version']}"
    return f"| {name} | {result['raw']:.0f} µs | {result['peer']:.0f} µs | {result['ratio']:.2f} | {size} |"


def _measure(distribution: str, requirements: list[str], environment: Path) -> dict[str, Any]:
    python = environment / "bin" / "python"
    if not python.exists():
        # The pip that comes with Python may be old, and then takes many minutes to resolve traceloop-sdk.
        _run([sys.executable, "-m", "venv", "--upgrade-deps", str(environment)], dict(os.environ))
    _run([str(python), "-m", "pip", "install", "--disable-pip-version-check", *requirements], dict(os.environ))
    settings = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    # -I and the directory: neither variables nor files of a project around it may configure a peer.
    command = [str(python), "-I", str(HERE / "peer.py"), distribution]
    printed = _run(command, {**settings, **SETTINGS}, directory=environment)
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])  # some peers print before it
    return result


def _run(command: list[str], environ: dict[str, str], directory: Path | None = None) -> str:
    try:
        done = subprocess.run(command, env=environ, cwd=directory, capture_output=True, text=True, timeout=900)
    except subprocess.TimeoutExpired:
        raise Unmeasured(f"{' '.join(command[1:4])} took longer than 15 minutes") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        # What pip says after its errors are hints.
        errors = [line for line in said if line.strip().startswith("ERROR:")]
        raise Unmeasured((errors or said or [f"exit status {done.returncode}"])[-1])
    return done.stdout


if __name__ == "__main__":
    main()
