"""Workers of a process pool have a session for every job."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import _setup  # noqa: F401

import agentops_otel as ao


def agent(number: int) -> int:
    with ao.session(f"agent {number}"):
        return number


if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=get_context(sys.argv[1])) as pool:
        assert list(pool.map(agent, range(6))) == list(range(6))
