"""Ports to listen on, now or later, that nobody gets by chance."""

from __future__ import annotations

import itertools
import os
import random
import socket

_FIRST, _LAST = 10_000, 32_000
"""Below those that Linux gives to who listens or connects and does not care: one of these that was free a moment ago
may be another test's by now."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens. No test that runs beside this gets it, and none after it soon."""
    while True:
        port = next(_ports)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def _of_this_process() -> itertools.cycle[int]:
    every = max(8, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % every
    ports = range(_FIRST + mine, _LAST, every)
    start = random.randrange(len(ports))  # who runs the tests twice at the same time has the same workers twice
    return itertools.cycle([*ports[start:], *ports[:start]])


_ports = _of_this_process()
