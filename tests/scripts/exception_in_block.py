"""An exception leaves the block and ends the program."""

from _setup import open_spans

import agentops_otel as ao

with ao.session("agent"):
    spans = open_spans()
    raise ValueError("boom")
