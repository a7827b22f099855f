"""Phoenix, on a provider that it makes."""

import os

from _runs import own_exporter, runs
from phoenix.otel import TracerProvider, register


def set_up() -> TracerProvider:
    global provider
    provider = register(endpoint=os.environ["VENDOR_ENDPOINT"] + "/v1/traces", protocol="http/protobuf", verbose=False)
    provider.add_span_processor(own_exporter(), replace_default_processor=False)
    return provider


def own_span() -> None:
    provider.get_tracer("openinference").start_span("vendor's", openinference_span_kind="chain").end()


provider: TracerProvider
runs(set_up, own_span)
