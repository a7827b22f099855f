"""The program ends its session in an exit callback, registered before everything else or after it."""

# ruff: noqa: E402, I001
import atexit
import sys


def end() -> None:
    was_open = session.is_open
    session.end()
    print(was_open)


if sys.argv[1] == "registered_first":
    atexit.register(end)

import _setup  # noqa: F401
import agentops_otel as ao

session = ao.start_session("agent")
if sys.argv[1] == "registered_last":
    atexit.register(end)
