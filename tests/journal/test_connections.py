"""What a forked child must not share with its parent."""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from typing import Any

import requests  # type: ignore[import-untyped,unused-ignore]
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from support.otlp import Receiver

from agentops_otel.journal.connections import part_from_parent


def exported(exporter: OTLPSpanExporter, name: str) -> SpanExportResult:
    span: Any = TracerProvider().get_tracer("tests").start_span(name)
    span.end()
    return exporter.export([span])


def sockets() -> set[str]:
    """The open sockets of this process, by their inodes."""
    targets = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one of the listing
            targets.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    return {target for target in targets if target.startswith("socket:")}


def clients() -> list[requests.Session]:
    """The HTTP clients of this process, wherever the exporters keep them."""
    return [value for value in gc.get_objects() if isinstance(value, requests.Session)]


class Wrapper:
    """An exporter of somebody else that has one of the SDK."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self.wrapped = exporter
        self.myself = self


def test_an_exporter_gets_a_connection_of_its_own_and_the_other_stays_open(receiver: Receiver) -> None:
    others = clients()
    exporter = OTLPSpanExporter(f"{receiver.http_endpoint}/v1/traces")
    [client] = [client for client in clients() if client not in others]
    before = sockets()
    assert exported(exporter, "before") is SpanExportResult.SUCCESS
    kept = sockets() - before
    cookies = client.cookies
    part_from_parent(Wrapper(exporter))
    assert client.cookies is not cookies
    assert exported(exporter, "after") is SpanExportResult.SUCCESS
    assert kept & sockets()
    assert sockets() - kept - before
    assert [span.name for span in receiver.spans] == ["before", "after"]
    exporter.shutdown()  # type: ignore[no-untyped-call,unused-ignore]


def test_what_is_no_client_is_left_alone() -> None:
    class Odd:
        __slots__ = ("span",)

    for thing in (None, Odd(), ReadableSpan("name"), Wrapper):
        part_from_parent(thing)
