"""The span exporter `agentops_local`: OTLP JSON lines in files on this machine."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .files import inherited_run_id, new_run_id, process_file, store_directory

_logger = logging.getLogger("agentops_otel")


class LocalSpanExporter(SpanExporter):
    """Stores spans with the official OTLP JSON file exporter.

    A batch is in the file whole or not at all. A file that cannot be written costs one warning and the spans.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or store_directory()
        self._run_id = inherited_run_id() or new_run_id()
        self._warned = False
        self._shutdown = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._shutdown:
            return SpanExportResult.FAILURE
        # The official exporter only makes the lines. Handed the file itself it would keep it open and buffered,
        # for a forked child to flush a second time, and log a traceback for every batch on a full disk.
        lines = io.StringIO()
        result = FileSpanExporter(stream=lines).export(spans)
        if result is SpanExportResult.SUCCESS:
            try:
                self._append(lines.getvalue().encode())
            except OSError as error:
                self._warn(error)
                result = SpanExportResult.FAILURE
        return result

    def shutdown(self) -> None:
        self._shutdown = True

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def _append(self, data: bytes) -> None:
        # Opened for each batch: nothing is there to share with a forked child, nor for a program that closes all
        # descriptors to pull away and give to a file of its own.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(process_file(self._directory, self._run_id), flags, 0o600)
        try:
            size = os.fstat(file).st_size
            try:
                while data:
                    data = data[os.write(file, data) :]
            except OSError:
                os.ftruncate(file, size)
                raise
        finally:
            os.close(file)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _logger.warning("sessions cannot be stored in %s: %s", self._directory, error)
