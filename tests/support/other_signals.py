"""Logs and metrics of this process: global providers for the time of a block, and what they were told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import _logs, metrics
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric


class Logs:
    """A LoggerProvider that exports each record at once."""

    def __init__(self) -> None:
        self.exporter: InMemoryLogRecordExporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self.logger = self.provider.get_logger("tests")

    def emit(self, body: str, **fields: Any) -> None:
        self.logger.emit(LogRecord(body=body, **fields))

    def all(self) -> list[LogRecord]:
        return [finished.log_record for finished in self.exporter.get_finished_logs()]

    def said(self, body: str) -> LogRecord:
        """The one record with this body."""
        [record] = [record for record in self.all() if record.body == body]
        return record

    def events(self, name: str) -> list[LogRecord]:
        return [record for record in self.all() if record.event_name == name]

    def event(self, name: str) -> LogRecord:
        """The one event of this name."""
        [event] = self.events(name)
        return event

    @contextmanager
    def in_use(self) -> Iterator[Logs]:
        with _set_globally(_logs, "_LOGGER_PROVIDER", self.provider):
            yield self


class Metrics:
    """A MeterProvider that is read whenever somebody asks."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def all(self) -> dict[str, Metric]:
        """The metrics by their names."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: metric
            for of_resource in (data.resource_metrics if data is not None else ())
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
        }

    def points(self, name: str) -> list[Any]:
        metric = self.all().get(name)
        return [] if metric is None else list(metric.data.data_points)

    @contextmanager
    def in_use(self) -> Iterator[Metrics]:
        with _set_globally(metrics, "_METER_PROVIDER", self.provider):
            yield self


def said_by(record: LogRecord) -> Mapping[str, Any]:
    """The attributes of a log record."""
    return record.attributes or {}


@contextmanager
def _set_globally(api: Any, name: str, provider: object) -> Iterator[None]:
    # The API lets its users set each provider once, for good, so this goes behind its back.
    before = getattr(api._internal, name)
    setattr(api._internal, name, provider)
    try:
        yield
    finally:
        setattr(api._internal, name, before)
