"""A program that is short, and starts where others have died."""

import sys

import _setup  # noqa: F401

import agentops_otel as ao

with ao.session(sys.argv[1]):
    pass
