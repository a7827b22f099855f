"""`multiprocessing.Pool`, of processes or threads, and `concurrent.futures.ProcessPoolExecutor`."""

from __future__ import annotations

import functools
from typing import Any

from opentelemetry import context

from ..sessions.registry import Registry
from .contexts import NOWHERE, call_apart, call_in
from .way import Function, Way

_METHODS = ("apply_async", "map", "map_async", "starmap", "starmap_async", "imap", "imap_unordered")
"""The methods of a `multiprocessing.Pool` that are given a function. (``apply`` calls ``apply_async``.)"""


class Pools(Way):
    """A function that is given to a pool in a session is called in it, as a child of what is current at that time.

    The workers are born in no session, forked ones too: each call joins, and leaves.

    ``run_joined(carrier, function, *args, **kwargs)`` does that in a worker. It gets there by its name, pickled.
    """

    def __init__(self, registry: Registry, run_joined: Function) -> None:
        super().__init__(
            registry, {"multiprocessing.pool": self._wrap_pool, "concurrent.futures.process": self._wrap_executor}
        )
        self._run_joined = run_joined

    def _wrap_pool(self, module: Any) -> None:
        self._wrap(module.Pool, "__init__", self._around_init)
        around = functools.partial(self._around_method, pool_of_threads=module.ThreadPool)
        for method in _METHODS:
            self._wrap(module.Pool, method, around)

    def _wrap_executor(self, module: Any) -> None:
        self._wrap(module.ProcessPoolExecutor, "submit", self._around_submit)

    def _around_init(self, original: Function) -> Function:
        def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
            if self._session() is None:
                original(pool, *args, **kwargs)
            else:  # it starts the workers, and the thread that starts their successors
                call_in(NOWHERE, original, pool, *args, **kwargs)

        return __init__

    def _around_method(self, original: Function, pool_of_threads: type) -> Function:
        def method(pool: Any, func: Function, *args: Any, **kwargs: Any) -> Any:
            if isinstance(pool, pool_of_threads):
                if self._session() is None:
                    func = functools.partial(call_apart, func)
                else:
                    func = functools.partial(call_in, context.get_current(), func)
            else:
                carrier = self._carrier()
                if carrier is not None:
                    func = functools.partial(self._run_joined, carrier, func)
            return original(pool, func, *args, **kwargs)

        return method

    def _around_submit(self, original: Function) -> Function:
        def submit(pool: Any, fn: Function, /, *args: Any, **kwargs: Any) -> Any:
            carrier = self._carrier()
            if carrier is None:
                return original(pool, fn, *args, **kwargs)
            # It may start workers, and the thread that starts their successors.
            return call_in(NOWHERE, original, pool, self._run_joined, carrier, fn, *args, **kwargs)

        return submit
