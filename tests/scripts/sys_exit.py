"""The program leaves by sys.exit, in the block of a session or while one is open."""

import sys

from _setup import open_spans

import agentops_otel as ao

if sys.argv[1] == "in_block":
    with ao.session("agent"):
        spans = open_spans()
        sys.exit(3)
session = ao.start_session("agent")
spans = open_spans()
sys.exit(3)
