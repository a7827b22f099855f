"""A child of multiprocessing has a session."""

import multiprocessing
import multiprocessing.synchronize
import os
import sys
import threading

from _setup import open_spans

import agentops_otel as ao

held: list[object] = []


def child(how: str, ready: multiprocessing.synchronize.Event) -> None:
    if how == "returns":
        with ao.session("agent"):
            pass
        return
    if how == "raises":
        with ao.session("agent"):
            held.append(open_spans())
            raise ValueError("boom")
    held.append(ao.start_session("agent"))
    held.append(open_spans())
    ready.set()
    if how == "is_terminated":
        threading.Event().wait()
    if how == "exits":
        sys.exit(3)
    if how == "leaves_a_thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    ready = multiprocessing.Event()
    process = multiprocessing.Process(target=child, args=(sys.argv[2], ready))
    process.start()
    if sys.argv[2] == "is_terminated":
        ready.wait()
        process.terminate()
    process.join()
    print(process.exitcode)
    assert os.getpid() == multiprocessing.current_process().pid
