"""The process forks while its threads start and drop sessions all the time."""

import os
import threading

import _setup  # noqa: F401

import agentops_otel as ao

stop = threading.Event()
started: list[None] = []


def agents() -> None:
    while not stop.is_set():
        ao.start_session("dropped")
        started.append(None)
        stop.wait(0.001)


threads = [threading.Thread(target=agents) for _ in range(3)]
for thread in threads:
    thread.start()
for number in range(10):
    child = os.fork()
    if child == 0:
        with ao.session(f"child {number}"):
            pass
        ao.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
print(len(started))
