"""The program handles SIGTERM itself: since before the session, since after it began, or on top of what it found."""

import signal
import sys
import threading
from types import FrameType

from _setup import open_spans

import agentops_otel as ao

found: object = None


def leave(number: int, frame: FrameType | None) -> None:
    print("handler")
    sys.exit(7)


def chain(number: int, frame: FrameType | None) -> None:
    print("handler")
    if callable(found):
        found(number, frame)


if sys.argv[1] == "before":
    signal.signal(signal.SIGTERM, leave)
session = ao.start_session("agent")
spans = open_spans()
if sys.argv[1] == "after":
    signal.signal(signal.SIGTERM, leave)
elif sys.argv[1] == "chains":
    found = signal.signal(signal.SIGTERM, chain)
print("ready")
threading.Event().wait()
