"""The program has an excepthook that does not call the one before it."""

import sys
from types import TracebackType

import _setup  # noqa: F401

import agentops_otel as ao


def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    print("hook:", error, file=sys.stderr)


if sys.argv[1] == "before":
    sys.excepthook = hook
session = ao.start_session("agent")
if sys.argv[1] == "after":
    sys.excepthook = hook
raise ValueError("boom")
