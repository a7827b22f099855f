"""The provider is shut down, so many times, while a session is open."""

import sys

from _setup import open_spans
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import agentops_otel as ao

session = ao.start_session("agent")
spans = open_spans()
provider = trace.get_tracer_provider()
assert isinstance(provider, TracerProvider)
for _ in range(int(sys.argv[1])):
    provider.shutdown()
assert not session.is_open
