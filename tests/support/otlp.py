"""An OTLP receiver (HTTP and gRPC) inside the test process.

What arrives is decoded into frozen dataclasses of plain Python values, in the order of arrival.
"""

from __future__ import annotations

import gzip
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, cast

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from support.ports import free_port

Attributes = dict[str, Any]
Protocol = Literal["http/protobuf", "grpc"]
Signal = Literal["traces", "logs", "metrics"]
Silent = Literal["resets", "hangs", "takes"]


@dataclass(frozen=True)
class Event:
    """An event of a span."""

    name: str
    time: int
    attributes: Attributes


@dataclass(frozen=True)
class Link:
    """A link of a span; the ids in hex."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True)
class Span:
    """A span; ids in hex, times in nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str  # "INTERNAL", "CLIENT", ...
    start: int
    end: int
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    status: str  # "UNSET", "OK" or "ERROR"
    status_description: str
    resource: Attributes
    scope_name: str
    scope_version: str
    trace_state: str
    flags: int


@dataclass(frozen=True)
class Log:
    """A log record; an event is one with an event_name. Ids are None where the record has none."""

    event_name: str
    body: Any
    severity_text: str
    severity_number: int
    attributes: Attributes
    trace_id: str | None
    span_id: str | None
    time: int
    observed_time: int
    resource: Attributes
    scope_name: str
    scope_version: str


@dataclass(frozen=True)
class Point:
    """A data point: its value, or the sum and the count of a histogram."""

    attributes: Attributes
    value: float
    count: int | None = None


@dataclass(frozen=True)
class Metric:
    """A metric with its data points."""

    name: str
    unit: str
    points: tuple[Point, ...]
    resource: Attributes
    scope_name: str


class Endpoints:
    """Where OTLP is accepted."""

    http_endpoint: str
    grpc_endpoint: str

    def environment(self, protocol: Protocol = "http/protobuf", *, metrics: bool = False) -> dict[str, str]:
        """The variables that make a program export its traces and logs, and metrics if wanted, to here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.grpc_endpoint if protocol == "grpc" else self.http_endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp" if metrics else "none",
        }


class Receiver(Endpoints):
    """Accepts traces, logs and metrics on two ports of 127.0.0.1 while its block is open.

    Attributes:
        spans, logs, metrics: What arrived, in the order of arrival.
        requests: The number of export requests per signal, refused ones included.
        delay: Seconds that every answer waits; what the request brought is stored before.
        status: The HTTP status to refuse requests with, or None to accept them. gRPC clients get the code
            that corresponds to it. What a refused request brought is not stored.
        retry_after: What a refusal over HTTP says in its Retry-After header, or None.
        silent: Whether requests are left without an answer. "resets" closes the connection at once and "hangs"
            keeps it open, both without having stored anything; "takes" stores what it brought, and then closes it.
            Over gRPC, "resets" and "takes" answer that the service is unavailable.
        most_spans: Requests with more spans than this are refused as too large, if it is not 0.
        most_bytes: The same for what a gRPC request weighs, as a gRPC server says it.
        rejected: How many spans an answer says were rejected, as in a partial success; all are stored.
        batches: The number of spans in each request that was stored.
    """

    def __init__(self, http_port: int = 0, grpc_port: int = 0) -> None:
        """Listens; 0 takes a free port. Ports of a closed receiver make a new one appear as the same, back."""
        self.spans: list[Span] = []
        self.logs: list[Log] = []
        self.metrics: list[Metric] = []
        self.requests: Counter[Signal] = Counter()
        self.delay = 0.0
        self.status: int | None = None
        self.retry_after: str | None = None
        self.silent: Silent | None = None
        self.most_spans = 0
        self.most_bytes = 0
        self.rejected = 0
        self.batches: list[int] = []
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._http = _HttpServer(("127.0.0.1", http_port or free_port()), self)
        self._workers = ThreadPoolExecutor(16, "otlp-grpc")
        self._grpc, self.grpc_port = _grpc_server(self, self._workers, grpc_port or free_port())
        self._http_thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="otlp-http")
        self._http_thread.start()
        self.http_port = int(self._http.server_address[1])
        self.http_endpoint = f"http://127.0.0.1:{self.http_port}"
        self.grpc_endpoint = f"http://127.0.0.1:{self.grpc_port}"

    def close(self) -> None:
        """Stops listening, answers what waits, and closes every connection."""
        self._closed.set()
        stopped = self._grpc.stop(None)
        self._http.shutdown()
        self._http_thread.join()
        self._http.server_close()
        stopped.wait()
        self._workers.shutdown()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_for(self, predicate: Callable[[Receiver], object], timeout: float = 20) -> None:
        """Blocks until `predicate(self)` is true; an AssertionError tells what arrived if it does not become so."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(predicate(self)), timeout):
                raise AssertionError(f"not within {timeout} s; what arrived:\n{self}")

    def roots(self) -> list[Span]:
        """The spans without a parent."""
        return [span for span in self.spans if span.parent_id is None]

    def sessions(self) -> list[Span]:
        """The root spans of sessions."""
        return [span for span in self.spans if span.attributes.get("gen_ai.operation.name") == "session"]

    def __str__(self) -> str:
        lines = [f"requests {dict(self.requests)}"]
        lines += [f"span {s.span_id} parent {s.parent_id} {s.name!r} {s.status} {s.attributes}" for s in self.spans]
        lines += [f"log {log.event_name!r} {log.body!r} {log.attributes}" for log in self.logs]
        lines += [f"metric {metric.name!r} {metric.points}" for metric in self.metrics]
        return "\n".join(lines)

    def receive(self, signal: Signal, body: bytes) -> Answer:
        """Takes one export request, and says how to answer it."""
        # A connection that is still open must not bring anything to a receiver that is being closed.
        status = 503 if self._closed.is_set() else self.status
        silent = self.silent
        with self._changed:
            self.requests[signal] += 1
            spans = list(_spans(ExportTraceServiceRequest.FromString(body))) if signal == "traces" else []
            if self.most_spans and len(spans) > self.most_spans:
                status = 413
            if status is None and silent in (None, "takes"):
                if signal == "traces":
                    self.spans.extend(spans)
                    self.batches.append(len(spans))
                elif signal == "logs":
                    self.logs.extend(_logs(ExportLogsServiceRequest.FromString(body)))
                else:
                    self.metrics.extend(_metrics(ExportMetricsServiceRequest.FromString(body)))
            self._changed.notify_all()
        self._closed.wait(None if silent == "hangs" else self.delay)
        return Answer(status, self.retry_after, silent is not None, _partial_success(signal, self.rejected))


@dataclass(frozen=True)
class Answer:
    """How a request is answered: with a status, None for success, or not at all."""

    status: int | None
    retry_after: str | None
    is_silent: bool
    body: bytes


def _partial_success(signal: Signal, rejected: int) -> bytes:
    response = ExportTraceServiceResponse()
    if rejected and signal == "traces":
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = "there are too many"
    return bytes(response.SerializeToString())


class _HttpServer(ThreadingHTTPServer):
    # Threads are joined by server_close(), so nothing of a closed receiver is left behind.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        self.receiver = receiver
        self._connections: set[Any] = set()
        super().__init__(address, _HttpHandler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().close_request(request)

    def server_close(self) -> None:
        # Clients keep connections alive: their handlers wait for a next request that must not be served.
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients get killed in the middle of a request: that is what the tests are about, not an error here.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _HttpHandler(BaseHTTPRequestHandler):
    # Keep-alive as with real collectors: it is what exposes connections shared across a fork.
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # The client died while it sent.
            return
        signal = self.path.removeprefix("/v1/")
        encoding = self.headers["Content-Encoding"]
        if signal not in ("traces", "logs", "metrics"):
            answer = Answer(404, None, False, b"")
        elif encoding not in (None, "identity", "gzip"):
            answer = Answer(415, None, False, b"")
        else:
            body = gzip.decompress(body) if encoding == "gzip" else body
            answer = self.server.receiver.receive(cast("Signal", signal), body)
        if answer.is_silent:
            self._reset()
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        body = answer.body if answer.status is None else b""
        self.send_response(answer.status or 200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        if answer.status is not None and answer.retry_after is not None:
            self.send_header("Retry-After", answer.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        # With a linger time of zero the other side sees a reset, not an end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


_GRPC_SERVICES: dict[Signal, str] = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
# The codes that say over gRPC what the HTTP status says; clients retry those that OTLP calls retryable.
_GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.UNAVAILABLE,
}


def _grpc_server(receiver: Receiver, workers: ThreadPoolExecutor, port: int) -> tuple[Any, int]:
    def handler(signal: Signal) -> Any:
        # Without (de)serializers gRPC hands over bytes; the empty response message is no bytes at all.
        def export(body: bytes, context: Any) -> bytes:
            if receiver.most_bytes and len(body) > receiver.most_bytes:
                context.set_code(grpc.StatusCode.RESOURCE_EXHAUSTED)
                context.set_details(f"SERVER: Received message larger than max ({len(body)} vs. {receiver.most_bytes})")
                return b""
            answer = receiver.receive(signal, body)
            status = 503 if answer.is_silent else answer.status
            if status is not None:
                context.set_code(_GRPC_CODES.get(status, grpc.StatusCode.INTERNAL))
                context.set_details(f"refused with {status}")
                return b""
            return answer.body

        return grpc.method_handlers_generic_handler(
            _GRPC_SERVICES[signal], {"Export": grpc.unary_unary_rpc_method_handler(export)}
        )

    # Without SO_REUSEPORT a port that another process holds is an error, as it is for HTTP.
    server = grpc.server(
        workers,
        handlers=[handler(signal) for signal in _GRPC_SERVICES],
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)],
    )
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


def _value(value: common_pb2.AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)


def _attributes(pairs: Iterable[common_pb2.KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex() or None,
                    name=span.name,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    events=tuple(Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in span.events),
                    links=tuple(
                        Link(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
                        for link in span.links
                    ),
                    status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
                    status_description=span.status.message,
                    resource=_attributes(group.resource.attributes),
                    scope_name=scoped.scope.name,
                    scope_version=scoped.scope.version,
                    trace_state=span.trace_state,
                    flags=span.flags,
                )


def _logs(request: ExportLogsServiceRequest) -> Iterator[Log]:
    for group in request.resource_logs:
        for scoped in group.scope_logs:
            for log in scoped.log_records:
                yield Log(
                    event_name=log.event_name,
                    body=_value(log.body),
                    severity_text=log.severity_text,
                    severity_number=int(log.severity_number),
                    attributes=_attributes(log.attributes),
                    trace_id=log.trace_id.hex() or None,
                    span_id=log.span_id.hex() or None,
                    time=log.time_unix_nano,
                    observed_time=log.observed_time_unix_nano,
                    resource=_attributes(group.resource.attributes),
                    scope_name=scoped.scope.name,
                    scope_version=scoped.scope.version,
                )


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    for group in request.resource_metrics:
        for scoped in group.scope_metrics:
            for metric in scoped.metrics:
                yield Metric(
                    name=metric.name,
                    unit=metric.unit,
                    points=tuple(_points(metric)),
                    resource=_attributes(group.resource.attributes),
                    scope_name=scoped.scope.name,
                )


def _points(metric: metrics_pb2.Metric) -> Iterator[Point]:
    data = metric.WhichOneof("data")
    for point in getattr(metric, data).data_points if data else ():
        attributes = _attributes(point.attributes)
        if isinstance(point, metrics_pb2.NumberDataPoint):
            value = point.WhichOneof("value")
            yield Point(attributes, getattr(point, value) if value else 0)
        else:
            yield Point(attributes, point.sum, point.count)
