"""What goes in comes out: through the receiver of these tests, Rotel and the official Collector.

First without the package, so that what a collector changes by itself is told apart from what the package does; then
a program with sessions.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link as SdkLink
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from support import collectors
from support.collectors import Collector
from support.otlp import Attributes, Endpoints, Event, Link, Log, Protocol, Receiver, Span
from support.programs import run, script
from support.spans import Spans, in_use

import agentops_otel as ao

RESOURCE: Attributes = {"service.name": "tests", "process.pid": 4711, "tags": ("a", "b")}
# Seconds that a float cannot hold to the nanosecond.
TIME = 1_700_000_000_123_456_789
REMOTE = SpanContext(
    0x0123456789ABCDEF0123456789ABCDEF, 0x0123456789ABCDEF, True, TraceFlags(1), TraceState([("a", "1"), ("b", "2")])
)
ATTRIBUTES: Attributes = {
    "string": "grüße 👋",
    "empty": "",
    "true": True,
    "false": False,
    "zero": 0,
    "large": -(2**63),
    "float": 0.1,
    "strings": ("a", ""),
    "booleans": (True, False),
    "integers": (1, 2**63 - 1),
    "floats": (1.5, -0.5),
    "nothing": (),
}
# Log records may hold what attributes of spans may not. A list of unlike values gets through in a body only with
# the lowest SDK.
NESTED: Attributes = {"none": None, "bytes": b"\x00\xff", "map": {"a": {"b": ("c",)}, "empty": {}}}
BODY: Attributes = NESTED | {"list": (1, "two", (3.0,), None)}


@pytest.fixture(params=["http/protobuf", "grpc"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    protocol: Protocol = request.param
    return protocol


def test_receiver(receiver: Receiver, protocol: Protocol) -> None:
    _check(receiver, receiver, protocol)


def test_collector(collector: Collector, receiver: Receiver, protocol: Protocol) -> None:
    _check(collector, receiver, protocol)


def test_sessions_through_a_collector(collector: Collector, receiver: Receiver, protocol: Protocol) -> None:
    outcome = run(script("through_a_collector"), collector.environment(protocol))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    receiver.wait_for(lambda r: len(r.sessions()) == 3 and len(r.logs) == 6)
    told = dict(line.split() for line in outcome.stdout.splitlines())

    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans) == 5
    for root in receiver.sessions():
        name = root.name.removeprefix("session ")
        assert (root.parent_id, root.kind, root.resource["service.name"]) == (None, "INTERNAL", "collected")
        assert told[name] == root.trace_id
        events = {log.event_name: log for log in receiver.logs if log.trace_id == root.trace_id}
        assert set(events) == {"session.start", "session.end"}
        for event in events.values():
            assert event.span_id == root.span_id
            assert event.attributes["session.id"] == root.attributes["session.id"]
        assert events["session.start"].time == root.start
        assert events["session.end"].time == root.end
        assert events["session.end"].attributes["agentops.session.duration"] == (root.end - root.start) / 1e9
        for key in ("agentops.session.end_state", "agentops.session.end_reason"):
            assert events["session.end"].attributes[key] == root.attributes[key]

    roots = {root.name: root for root in receiver.sessions()}
    well, failed, left = (roots[f"session {name}"] for name in ("well", "failed", "left"))
    assert (well.status, well.attributes["agentops.tags"], well.attributes["user.id"]) == ("OK", ("a", "b"), "u-1")
    assert well.attributes["agentops.session.usage.input_tokens"] == 7
    assert (failed.status, failed.attributes["error.type"]) == ("ERROR", "LookupError")
    assert [event.name for event in failed.events] == ["exception"]
    assert [link.trace_id for link in failed.links] == [well.trace_id]
    assert left.attributes["agentops.session.end_reason"] == "process_exit"
    [chat, open_child] = sorted((s for s in receiver.spans if s.parent_id), key=lambda s: s.name)
    assert (chat.trace_id, chat.parent_id) == (well.trace_id, well.span_id)
    assert open_child.attributes["agentops.session.end_reason"] == "process_exit"


KEEP_THE_FAILED = Path(__file__).parent.parent / "docs" / "keep-the-failed.md"


class SameIds(IdGenerator):
    """The same ids in every run, so that a ratio of them is the same too."""

    def __init__(self) -> None:
        self._random = random.Random(1)

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64)


@pytest.mark.collector
def test_the_tail_sampling_that_is_documented_keeps_the_interesting_sessions_whole(receiver: Receiver) -> None:
    binary = collectors.otelcol_binary()
    if binary is None:
        pytest.skip("needs the official Collector: nox -s collector")
    [config] = re.findall(r"^```yaml\n(.*?)^```", KEEP_THE_FAILED.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    interesting = {"failed", "with an error in it", "timed out", "slow", "expensive", "long"}
    with collectors.otelcol(binary, receiver, config) as collector:
        exporter = HttpSpanExporter(f"{collector.http_endpoint}/v1/traces")
        with in_use(Spans(id_generator=SameIds(), after=[BatchSpanProcessor(exporter)])) as spans:
            _sessions_of_many_kinds(spans)
            spans.provider.shutdown()
        receiver.wait_for(lambda r: interesting <= {_session_name(root) for root in r.sessions()})
    # At its end the Collector has decided on the rest.
    sizes: dict[str, int] = defaultdict(int)
    for span in receiver.spans:
        sizes[span.trace_id] += 1
    assert set(sizes.values()) == {2}
    kept = [_session_name(root) for root in receiver.sessions()]
    assert len(kept) == len(set(kept))
    assert interesting <= set(kept)
    assert 0 < len(set(kept) - interesting) < 20
    assert {span.name for span in receiver.spans if "session.id" not in span.attributes} == {"request", "query"}


def _sessions_of_many_kinds(spans: Spans) -> None:
    """Each with one span in it, and one trace outside of sessions."""
    tracer = spans.tracer
    for number in range(40):
        with ao.session(f"dull {number}") as session:
            session.set_attribute("agentops.session.cost", 0.5)
            tracer.start_span("step", attributes={"agentops.session.end_reason": "garbage_collected"}).end()
    with ao.session("failed") as session:
        tracer.start_span("step").end()
        session.end("error")
    with ao.session("with an error in it"):
        span = tracer.start_span("step")
        span.set_status(StatusCode.ERROR)
        span.end()
    with ao.session("timed out") as session:
        tracer.start_span("step").end()
        session.end("unknown", "timeout")
    with ao.session("slow"):
        tracer.start_span("step").end()
        root: Any = trace.get_current_span()
        root.end(root.start_time + 31 * 10**9)
    with ao.session("expensive") as session:
        tracer.start_span("step").end()
        session.set_attribute("agentops.session.cost", 1.5)
    with ao.session("long"):
        said: Attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100_000}
        tracer.start_span("step", attributes=said).end()
    with tracer.start_as_current_span("request"):
        tracer.start_span("query").end()


def _session_name(root: Span) -> str:
    return root.name.removeprefix("session ")


def _check(way: Endpoints, receiver: Receiver, protocol: Protocol) -> None:
    spans, log = _send(way, protocol)
    receiver.wait_for(lambda r: len(r.spans) >= len(spans) and r.logs)
    assert receiver.spans == spans
    assert receiver.logs == [log]


def _send(way: Endpoints, protocol: Protocol) -> tuple[list[Span], Log]:
    """Sends three spans and an event; returns what is to arrive, in the order it was sent."""
    with _providers(way, protocol) as (tracers, loggers):
        tracer = tracers.get_tracer("scope", "1.2.3")
        root = tracer.start_span(
            "root", kind=SpanKind.CLIENT, attributes=ATTRIBUTES, links=[SdkLink(REMOTE, {"n": 1})], start_time=TIME
        )
        root.add_event("first", {"n": 1}, TIME + 1)
        root.add_event("second", timestamp=TIME + 2)
        in_root = trace.set_span_in_context(root)
        child = tracer.start_span("child", in_root, start_time=TIME + 3)
        child.set_status(Status(StatusCode.ERROR, "broken"))
        child.end(TIME + 4)
        far = trace.NonRecordingSpan(REMOTE)
        in_far = trace.set_span_in_context(far)
        continued = tracer.start_span("continued", in_far, kind=SpanKind.SERVER, start_time=TIME + 5)
        continued.set_status(StatusCode.OK)
        continued.end(TIME + 6)
        loggers.get_logger("logs", "4.5.6").emit(
            LogRecord(
                timestamp=TIME + 7,
                observed_timestamp=TIME + 8,
                context=in_root,
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                body=BODY,
                attributes=NESTED | ATTRIBUTES,
                event_name="session.start",
            )
        )
        root.end(TIME + 9)

    sent_root = Span(
        **_ids(root),
        parent_id=None,
        name="root",
        kind="CLIENT",
        start=TIME,
        end=TIME + 9,
        attributes=ATTRIBUTES,
        events=(Event("first", TIME + 1, {"n": 1}), Event("second", TIME + 2, {})),
        links=(Link(**_ids(far), attributes={"n": 1}),),
        status="UNSET",
        status_description="",
        resource=RESOURCE,
        scope_name="scope",
        scope_version="1.2.3",
        trace_state="",
        flags=0x100,  # It is known whether the parent is remote, and it is not.
    )
    bare = replace(sent_root, kind="INTERNAL", attributes={}, events=(), links=())
    sent_child = replace(
        bare,
        **_ids(child),
        parent_id=sent_root.span_id,
        name="child",
        start=TIME + 3,
        end=TIME + 4,
        status="ERROR",
        status_description="broken",
    )
    sent_continued = replace(
        bare,
        **_ids(continued),
        parent_id=_ids(far)["span_id"],
        name="continued",
        kind="SERVER",
        start=TIME + 5,
        end=TIME + 6,
        status="OK",
        trace_state="a=1,b=2",
        flags=0x300,
    )
    sent_log = Log(
        **_ids(root),
        event_name="session.start",
        body=BODY,
        severity_text="WARN",
        severity_number=13,
        attributes=NESTED | ATTRIBUTES,
        time=TIME + 7,
        observed_time=TIME + 8,
        resource=RESOURCE,
        scope_name="logs",
        scope_version="4.5.6",
    )
    return [sent_child, sent_continued, sent_root], sent_log


def _ids(span: trace.Span) -> dict[str, Any]:
    context = span.get_span_context()
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}


@contextmanager
def _providers(way: Endpoints, protocol: Protocol) -> Iterator[tuple[TracerProvider, LoggerProvider]]:
    span_exporter: SpanExporter
    log_exporter: LogRecordExporter
    if protocol == "grpc":
        span_exporter = GrpcSpanExporter(way.grpc_endpoint, insecure=True)
        log_exporter = GrpcLogExporter(way.grpc_endpoint, insecure=True)
    else:
        span_exporter = HttpSpanExporter(f"{way.http_endpoint}/v1/traces")
        log_exporter = HttpLogExporter(f"{way.http_endpoint}/v1/logs")
    resource = Resource(RESOURCE)
    tracers = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    loggers = LoggerProvider(resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(span_exporter))
    loggers.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    try:
        yield tracers, loggers
    finally:
        tracers.shutdown()
        loggers.shutdown()
