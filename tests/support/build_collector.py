"""Builds the official OpenTelemetry Collector of collector-builder.yaml: `python build_collector.py DIRECTORY`.

Needs Go and a module proxy. The binary is DIRECTORY/otelcol; it is built again only when the configuration changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"
CONFIG = Path(__file__).with_name("collector-builder.yaml")


def build(directory: Path) -> Path:
    """Builds the Collector in `directory`, or keeps the one there, and returns the path of the binary."""
    directory = directory.resolve()
    binary = directory / "otelcol"
    stamp = directory / "otelcol.built-from"
    recipe = f"# {BUILDER}\n{CONFIG.read_text()}"
    if binary.exists() and stamp.exists() and stamp.read_text() == recipe:
        return binary
    directory.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    subprocess.run(["go", "install", BUILDER], env=os.environ | {"GOBIN": str(directory)}, check=True)
    # The configuration names its output relative to the working directory.
    subprocess.run([directory / "builder", f"--config={CONFIG}"], cwd=directory, check=True)
    (directory / "build" / "otelcol").replace(binary)
    shutil.rmtree(directory / "build")
    stamp.write_text(recipe)
    return binary


def main(arguments: Sequence[str] | None = None) -> None:
    """Builds the Collector in the directory that the first argument names."""
    (directory,) = sys.argv[1:] if arguments is None else arguments
    print(build(Path(directory)))


if __name__ == "__main__":
    main()
