"""Threads, timers, and `concurrent.futures.ThreadPoolExecutor`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from opentelemetry import context

from ..sessions.context import detach_quietly
from ..sessions.registry import Registry
from .contexts import NOWHERE, call_apart, call_in
from .way import Function, Way

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Thread


class Threads(Way):
    """Work that is given to a thread in a session belongs to it, by the context of the call that gives it.

    Only OpenTelemetry's context goes along, as with opentelemetry-instrumentation-threading; where that is in use, it
    is left to it. The workers of a pool are born in no session, and keep nothing of any.
    """

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry, {"threading": self._wrap_thread, "concurrent.futures.thread": self._wrap_executor})

    def _wrap_thread(self, module: Any) -> None:
        self._wrap(module.Thread, "start", self._around_start)

    def _wrap_executor(self, module: Any) -> None:
        self._wrap(module.ThreadPoolExecutor, "submit", self._around_submit)

    def _around_start(self, original: Function) -> Function:
        def start(thread: Thread) -> None:
            if self._session() is None or _is_left_to_the_official():
                original(thread)
            else:
                _start_in(context.get_current(), thread, original)

        return start

    def _around_submit(self, original: Function) -> Function:
        def submit(pool: ThreadPoolExecutor, fn: Function, /, *args: Any, **kwargs: Any) -> Any:
            if _is_left_to_the_official():
                return original(pool, fn, *args, **kwargs)
            if self._session() is None:
                return original(pool, call_apart, fn, *args, **kwargs)
            # It may start a thread, which lives as long as the pool.
            return call_in(NOWHERE, original, pool, call_in, context.get_current(), fn, *args, **kwargs)

        return submit


def _start_in(here: context.Context, thread: Thread, start: Function) -> None:
    """Starts a thread whose ``run``, which may be one of a subclass, is called in a context."""
    attributes, run = vars(thread), thread.run
    own = attributes.get("run")

    def restore() -> None:
        # A thread that holds itself would keep all that it has until the next garbage collection.
        if own is None:
            attributes.pop("run", None)
        else:
            attributes["run"] = own

    def run_inside() -> None:
        restore()
        token = context.attach(here)
        try:
            run()
        finally:
            detach_quietly(token)

    attributes["run"] = run_inside
    try:
        start(thread)
    except BaseException:
        restore()
        raise


def _is_left_to_the_official() -> bool:
    module = sys.modules.get("opentelemetry.instrumentation.threading")
    instrumentor: Any = getattr(module, "ThreadingInstrumentor", None)
    return instrumentor is not None and bool(instrumentor().is_instrumented_by_opentelemetry)
