"""Sessions of a program that measures; how many end in which way is on the command line."""

import os
import sys
import threading

import _fresh_signals  # noqa: F401
import _setup  # noqa: F401
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

import agentops_otel as ao

how = sys.argv[1]


def measure() -> None:
    """The program's own MeterProvider; one of `configure` is there already."""
    if os.environ["AGENTOPS_TEST_SETUP"] != "configure":
        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))


if how == "measures_late":
    with ao.session("early"):
        pass
measure()
for _ in range(3):
    with ao.session("agent"):
        pass
held = [ao.start_session("agent") for _ in range(2)]
if how == "is_terminated":
    print("ready")
    threading.Event().wait()
elif how == "forks":
    child = os.fork()
    if child == 0:
        with ao.session("agent"):
            metrics.get_meter_provider().force_flush()  # type: ignore[attr-defined]
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
elif how == "says_now":
    metrics.get_meter_provider().force_flush()  # type: ignore[attr-defined]
