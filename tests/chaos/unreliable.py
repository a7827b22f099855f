"""A collector that fails at random, and knows which of its answers were read."""

from __future__ import annotations

import gzip
import random
import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROCESS_HEADER: Final = "Chaos-Process"
"""In which a process says who it is."""


class Arrived(NamedTuple):
    """What is judged of a span."""

    trace_id: str
    span_id: str
    is_root: bool
    reason: str
    """Why it ended, if that was written on it."""


@dataclass
class Batch:
    """A request whose spans were taken."""

    process: str
    spans: list[Arrived]
    at: float
    """When it came, in seconds of the monotonic clock."""
    is_confirmed: bool = False
    """Whether the client has read that it was taken."""


MOODS: Final[dict[str, dict[str, int]]] = {
    "healthy": {"take": 1},
    "slow": {"take": 1, "take slowly": 3},
    "shaky": {"take": 6, "refuse": 2, "reset": 2, "take and reset": 2, "take and refuse": 2, "take and hang": 1},
    "overloaded": {"refuse": 4, "take": 1, "take slowly": 1},
    "away": {"reset": 1},
}
"""What may become of a request, by chance; all of it is what OpenTelemetry calls retryable."""


@dataclass
class Collector:
    """Takes traces over HTTP on a port of 127.0.0.1 while its block is open.

    Attributes:
        batches: What it took, in the order in which it did.
        garbled: Requests that are none of the protocol.
        mood: One of `MOODS`.
    """

    seed: str
    mood: str = "healthy"
    batches: list[Batch] = field(default_factory=list)
    garbled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="collector")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def decide(self) -> str:
        """What is to become of a request."""
        chances = MOODS[self.mood]
        with self._lock:
            return self._chance.choices(list(chances), list(chances.values()))[0]

    def take(self, process: str, body: bytes) -> Batch:
        """Keeps what a request brought. Raises ConnectionError for what is no request."""
        try:
            spans = list(_arrived(ExportTraceServiceRequest.FromString(body)))
        except DecodeError:
            self.garbled.append(f"{process} sent what is no request: {body!r:.2000}")
            raise ConnectionError("this is no request") from None
        batch = Batch(process, spans, monotonic())
        with self._lock:
            self.batches.append(batch)
        return batch

    def wait(self, seconds: float) -> None:
        self._is_closed.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], collector: Collector) -> None:
        self.collector = collector
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients are killed in the middle of requests, and connections reset: that is what this is about.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    _answered: Batch | None = None

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            # It went with an answer that it had not read.
            if self._answered is not None:
                self._answered.is_confirmed = False
            raise
        # Or it had gone before the answer came: then there is an error, but none to read.
        if self._answered is not None and self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._answered.is_confirmed = False

    def do_POST(self) -> None:
        self._answered = None  # that there is a next request shows that the answer was read
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return
        if self.path != "/v1/traces":
            self._answer(200)
            return
        collector = self.server.collector
        fate = collector.decide()
        if "take" in fate:
            body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            batch = collector.take(self.headers[PROCESS_HEADER] or "", body)
            if fate.endswith(("slowly", "hang")):
                collector.wait(0.3 if fate.endswith("slowly") else 1.0)
        if fate.endswith(("reset", "hang")):
            self._reset()
        elif fate.endswith("refuse"):
            self._answer(503)
        elif not self._is_gone():
            batch.is_confirmed = True
            self._answered = batch
            self._answer(200)

    def _is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        with suppress(ConnectionError):
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        return True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def _arrived(request: ExportTraceServiceRequest) -> Iterator[Arrived]:
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                said = {pair.key: pair.value.string_value for pair in span.attributes}
                yield Arrived(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    said.get("gen_ai.operation.name") == "session",
                    said.get("agentops.session.end_reason", ""),
                )
