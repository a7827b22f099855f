"""What importing the package costs."""

from __future__ import annotations

import statistics
import subprocess
import sys

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
        printed = subprocess.run([sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True).stdout
        times.append(tuple(float(word) for word in printed.split()))
    api, ours = (statistics.median(column) for column in zip(*times, strict=True))
    return Row(
        "`import agentops_otel` above the OpenTelemetry API", f"{api:.0f} ms", f"{api + ours:.0f} ms", ours, " ms", 50
    )
