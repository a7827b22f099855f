"""A pool is given work in a session, in another one and in none; argv: kind of pool, start method, how it ends."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.pool import Pool, ThreadPool

from _setup import tracer

import agentops_otel as ao

kind, method, end = sys.argv[1:]
Ways = dict[str, Callable[[str], object]]


def work(name: str) -> int:
    with tracer.start_as_current_span(name):
        return os.getpid()


def second(name: str, more: str) -> int:
    return work(f"{name} {more}")


def fail(name: str) -> None:
    work(name)
    raise ValueError("boom")


def failure(call: Callable[[], object]) -> None:
    try:
        call()
    except ValueError as error:
        print(error)


def ways_of_pool(pool: Pool) -> Ways:
    return {
        "apply": lambda name: pool.apply(work, (name,)),
        "apply_async": lambda name: pool.apply_async(func=work, args=(), kwds={"name": name}).get(),
        "map": lambda name: pool.map(work, [name], chunksize=1),
        "map_async": lambda name: pool.map_async(work, [name]).get(),
        "starmap": lambda name: pool.starmap(second, [(name, "more")]),
        "starmap_async": lambda name: pool.starmap_async(second, [(name, "more")]).get(),
        "imap": lambda name: list(pool.imap(work, [name])),
        "imap_unordered": lambda name: list(pool.imap_unordered(work, [name])),
        "fail": lambda name: failure(lambda: pool.apply(fail, (name,))),
    }


def ways_of_executor(pool: Executor) -> Ways:
    return {
        "submit": lambda name: pool.submit(work, name=name).result(),
        "map": lambda name: list(pool.map(second, [name], ["more"])),
        "fail": lambda name: failure(pool.submit(fail, name).result),
    }


def main() -> None:
    context = multiprocessing.get_context(method)
    with ao.session("agent", id="s-1", conversation_id="c-1", user_id="u-1"):
        # Made, and used for the first time, in a session: yet its workers are of none.
        pool: Pool | Executor
        if kind == "ProcessPoolExecutor":
            pool = ProcessPoolExecutor(2, mp_context=context)
            ways = ways_of_executor(pool)
        else:
            # SIGTERM kills a worker that had no work of a session as ever, with what its processors have: here is none.
            pool = ThreadPool(2) if kind == "ThreadPool" else context.Pool(1 if end == "terminated" else 2)
            ways = ways_of_pool(pool)
        with tracer.start_as_current_span("step"):
            for name, way in ways.items():
                way(name)
    first = next(iter(ways.values()))
    with ao.session("other"):
        first("in the other")
    first("after")
    if isinstance(pool, Executor):
        pool.shutdown()
    elif end == "terminated":
        pool.terminate()
    else:
        pool.close()
    if isinstance(pool, Pool):
        pool.join()


if __name__ == "__main__":
    main()
