"""What became of a batch: what its exporter returned, and what it wrote to its log.

An OTLP exporter returns no more than that it failed. Why, it says in a log record, before it returns, in the same
thread. What may be sent again and what must not follows the OTLP specification, "Failures", for both protocols. What
no record tells of may be sent again.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.sdk.trace.export import SpanExportResult


class Verdict(enum.Enum):
    """What became of a batch."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """It must never be sent again."""
    TOO_MUCH = "too_much"
    """It must not be sent again as it is, but its parts may be."""
    FAILED = "failed"
    """It may be sent again."""


_LOGGERS: Final = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
_EVERYTHING: Final = 1
"""A level: of all that is logged, records are made."""

_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_RETRYABLE_IN_GRPC: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
_TOO_LARGE: Final = 413
_TOO_LARGE_IN_GRPC: Final = "larger than max"
"""What gRPC says of a message that is beyond a limit; its status is the one that means "later"."""


class Verdicts(logging.Filter):
    """Listens to the loggers of the OTLP exporters. Thread-safe: a record counts for the thread that wrote it.

    A program may have silenced OpenTelemetry's loggers, and then no record is ever made. So ours take everything, and
    this filter stops what would not have been made.
    """

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()
        self._levels: dict[str, int] = {}
        """What the loggers had before."""

    def install(self) -> None:
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            # The first of all filters: others stop what has been said before.
            logger.filters.insert(0, self)
            self._levels[name] = logger.level
            logger.setLevel(_EVERYTHING)

    def uninstall(self) -> None:
        for name, level in self._levels.items():
            logger = logging.getLogger(name)
            logger.removeFilter(self)
            if logger.level == _EVERYTHING:
                logger.setLevel(level)
        self._levels.clear()

    @contextmanager
    def listening(self, *, quietly: bool = False) -> Iterator[None]:
        """What is logged in the block, on this thread, is about one export; ``quietly`` keeps it out of the log."""
        here = self._here.__dict__
        before = dict(here)
        here.update(said=Verdict.FAILED, is_quiet=quietly)
        try:
            yield
        finally:
            here.clear()
            here.update(before)

    def of(self, result: object) -> Verdict:
        """The verdict on what an exporter has just returned, in a block of `listening`."""
        if result is not SpanExportResult.FAILURE:
            return Verdict.DELIVERED
        said: Verdict = self._here.said
        return said

    def filter(self, record: logging.LogRecord) -> bool:
        here = self._here.__dict__
        if "said" in here:
            here["said"] = _said_by(record) or here["said"]
        return record.levelno >= self._wanted(record.name) and not here.get("is_quiet")

    def _wanted(self, name: str) -> int:
        parent = logging.getLogger(name).parent
        return self._levels.get(name, 0) or (0 if parent is None else parent.getEffectiveLevel())


def _said_by(record: logging.LogRecord) -> Verdict | None:
    message, arguments = str(record.msg), record.args
    if message.startswith(("Failed to encode", "Dropping span batch")):
        return Verdict.TOO_MUCH
    if isinstance(arguments, tuple):
        if "batch code: %s" in message and len(arguments) >= 2:
            return _of_status(arguments[-2])
        if "error code: %s" in message and len(arguments) >= 3:
            return _of_code(arguments[2], arguments[3:])
    return None


def _of_status(status: Any) -> Verdict:
    if not isinstance(status, int) or status in _RETRYABLE:  # none at all: nobody answered
        return Verdict.FAILED
    return Verdict.TOO_MUCH if status == _TOO_LARGE else Verdict.REFUSED


def _of_code(code: Any, details: tuple[Any, ...]) -> Verdict:
    if getattr(code, "name", None) not in _RETRYABLE_IN_GRPC:
        return Verdict.REFUSED
    return Verdict.TOO_MUCH if _TOO_LARGE_IN_GRPC in str(details) else Verdict.FAILED
