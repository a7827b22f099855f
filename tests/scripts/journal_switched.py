"""A program that switches its journal off and on again, with sessions open and spans in the queue."""

import sys

import _setup  # noqa: F401

import agentops_otel as ao

directory = sys.argv[1]
before = ao.start_session("before")
with ao.session("queued"):
    pass
ao.configure(journal=False)
with ao.session("without"):
    pass
ao.configure(journal=directory)
with ao.session("with"):
    pass
before.end()
