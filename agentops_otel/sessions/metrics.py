"""Metrics of sessions. Never with an id as an attribute: every session would be a time series of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace

from .. import semconv
from .record import Record
from .state import Ending


class SessionMetrics:
    """Observer of the registry that counts and measures with a MeterProvider."""

    def __init__(self, provider: Any, version: str, active: Callable[[], int]) -> None:
        from opentelemetry.metrics import CallbackOptions, Observation

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            return (Observation(active()),)

        meter = provider.get_meter(semconv.SCOPE, version)
        # Observed, not counted up and down: it costs nothing per session, and is right in a forked child too.
        meter.create_observable_up_down_counter(
            semconv.METRIC_ACTIVE, [observe], unit="{session}", description="Sessions that are open."
        )
        self._ended = meter.create_counter(
            semconv.METRIC_ENDED, unit="{session}", description="Sessions that have ended, by end state and reason."
        )
        self._duration = meter.create_histogram(
            semconv.METRIC_DURATION,
            unit="s",
            description="How long sessions lasted.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    def session_started(self, record: Record) -> None:
        """Nothing: what is active is observed."""

    def session_ended(self, record: Record, ending: Ending, end_time: int) -> None:
        # In the context of the session, so that exemplars lead to it.
        around = trace.set_span_in_context(trace.NonRecordingSpan(record.lasting_context))
        attributes = {semconv.END_STATE: ending.state.value, semconv.END_REASON: ending.reason.value}
        self._ended.add(1, attributes, around)
        if record.is_recorded:
            self._duration.record(record.seconds_until(end_time), attributes, around)


_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 86400)
"""Bucket boundaries: an agent runs for a second, or for a day."""


def meter_provider() -> Any:
    """The global MeterProvider of the SDK; None where nobody would get what is measured."""
    if "opentelemetry.sdk.metrics" not in sys.modules:
        return None
    provider = sys.modules["opentelemetry.metrics"].get_meter_provider()
    return provider if hasattr(provider, "force_flush") else None
