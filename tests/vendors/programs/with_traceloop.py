"""Traceloop, on a provider that it makes."""

import os

from _runs import own_exporter, runs
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task


def set_up() -> TracerProvider:
    Traceloop.init("app", api_endpoint=os.environ["VENDOR_ENDPOINT"], api_key="key", telemetry_enabled=False)
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(own_exporter())
    return provider


@task(name="vendor's")
def own_span() -> None:
    pass


runs(set_up, own_span)
