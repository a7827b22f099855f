"""The program ends while a session is open."""

from _setup import open_spans

import agentops_otel as ao

session = ao.start_session("agent")
spans = open_spans()
