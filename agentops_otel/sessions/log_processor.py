"""The log record processor: log records that are emitted in a session carry its ids, as its spans do."""

from __future__ import annotations

from typing import Any

from opentelemetry import context
from opentelemetry.sdk._logs import LogRecordProcessor

from .. import semconv
from ..shield import absorb
from .carrier import record_in
from .context import SPAN_KEY
from .record import Record, skip_dead
from .registry import Registry


class TrackingLogProcessor(LogRecordProcessor):
    """Stamps the ids of their session on log records. Exports nothing, never waits, thread-safe.

    An id that a record brings itself stays.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.is_on = True

    def on_emit(self, log_record: Any) -> None:
        if not self.is_on:
            return
        try:
            emitted = log_record.log_record
            record = self._record_of(emitted)
            if record is not None:
                attributes = emitted.attributes
                for name, value in {semconv.SESSION_ID: record.session_id, **record.ids}.items():
                    if name not in attributes:
                        attributes[name] = value
        except Exception as error:  # noqa: BLE001
            absorb("seeing a log record", error)

    def _record_of(self, emitted: Any) -> Record | None:
        record = self._registry.of_span(emitted.trace_id, emitted.span_id or 0) if emitted.trace_id else None
        if record is None:
            around = getattr(emitted, "context", None) or context.get_current()
            found: Any = around.get(SPAN_KEY)
            current = skip_dead(found)
            # In a session that was joined there may be no span yet.
            record = current if type(current) is Record else record_in(around)
        return record

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def attach(provider: Any, processor: LogRecordProcessor) -> None:
    """Adds a processor to a LoggerProvider, before those that are there.

    One that exports at once would not see what a later one writes.
    """
    provider.add_log_record_processor(processor)
    chain: Any = getattr(provider, "_multi_log_record_processor", None)
    if isinstance(getattr(chain, "_log_record_processors", None), tuple) and hasattr(chain, "_lock"):
        with chain._lock:
            others = (other for other in chain._log_record_processors if other is not processor)
            chain._log_record_processors = (processor, *others)
