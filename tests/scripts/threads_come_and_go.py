"""The agent is at work, the main thread waits, and threads of the package start and end all the time."""

import threading

from _setup import open_spans

import agentops_otel as ao
from agentops_otel.own_threads import start_thread

session = ao.start_session("agent")
spans = open_spans()


def come_and_go() -> None:
    while True:
        start_thread(lambda: None, "short").join()


for _ in range(2):
    threading.Thread(target=come_and_go, daemon=True).start()
threading.Timer(0.2, print, ("ready",)).start()
threading.Event().wait()
