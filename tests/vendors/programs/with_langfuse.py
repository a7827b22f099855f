"""Langfuse, on a provider that it makes."""

import os

from _runs import own_exporter, runs
from langfuse import Langfuse, get_client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider


def set_up() -> TracerProvider:
    Langfuse(public_key="pk", secret_key="sk", base_url=os.environ["VENDOR_ENDPOINT"])
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(own_exporter())
    return provider


def own_span() -> None:
    get_client().start_observation(name="vendor's").end()


runs(set_up, own_span)
