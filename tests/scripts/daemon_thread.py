"""Daemon threads are in the blocks of their sessions when the program ends."""

import threading

import _setup  # noqa: F401

import agentops_otel as ao


def agent(number: int) -> None:
    with ao.session(f"agent {number}"):
        started.wait()
        threading.Event().wait()


started = threading.Barrier(4)
for number in range(3):
    threading.Thread(target=agent, args=(number,), daemon=True).start()
started.wait()
