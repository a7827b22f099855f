"""The program handles SIGTERM itself: since before the session, since after it began, or on top of what it found.

"dies_before", "dies_after", "dies_in_thread" (the session is of a thread): it stops its agent and then dies by the
signal, as is the custom.
"""

import os
import signal
import sys
import threading
from types import FrameType

from _setup import open_spans
from opentelemetry.trace import Span

import agentops_otel as ao

found: object = None


def leave(number: int, frame: FrameType | None) -> None:
    print("handler")
    sys.exit(7)


def chain(number: int, frame: FrameType | None) -> None:
    print("handler")
    if callable(found):
        found(number, frame)


def die(number: int, frame: FrameType | None) -> None:
    session.end()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def start() -> None:
    global session, spans
    session = ao.start_session("agent")
    spans = open_spans()


if sys.argv[1] == "before":
    signal.signal(signal.SIGTERM, leave)
elif sys.argv[1] in ("dies_before", "dies_in_thread"):
    signal.signal(signal.SIGTERM, die)
session: ao.Session
spans: list[Span]
if sys.argv[1] == "dies_in_thread":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
if sys.argv[1] == "after":
    signal.signal(signal.SIGTERM, leave)
elif sys.argv[1] == "dies_after":
    signal.signal(signal.SIGTERM, die)
elif sys.argv[1] == "chains":
    found = signal.signal(signal.SIGTERM, chain)
print("ready")
threading.Event().wait()
