"""What belongs to the whole process, changed for the time of a test and put back after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import _logs, context, trace

from ..runtime import runtime
from ..sessions.context import detach_quietly
from ..sessions.state import PROVIDER_SHUTDOWN

_LONG = 10.0
"""Seconds of real time after which the package's own thread is stuck."""


@contextmanager
def replaced(owner: object, **values: Any) -> Iterator[None]:
    """Sets attributes of a module or an object for the time of a block; AttributeError if it has no such."""
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextmanager
def set_globally(tracer_provider: trace.TracerProvider, logger_provider: _logs.LoggerProvider) -> Iterator[None]:
    """Makes these the global providers for the time of a block.

    The API takes each of them once, for good, so this goes behind its back. Another one is refused meanwhile, as ever:
    a program that sets OpenTelemetry up would export from its tests.
    """
    done = type(trace._TRACER_PROVIDER_SET_ONCE)()
    done.do_once(lambda: None)
    with (
        replaced(trace, _TRACER_PROVIDER=tracer_provider, _TRACER_PROVIDER_SET_ONCE=done),
        replaced(_logs._internal, _LOGGER_PROVIDER=logger_provider, _LOGGER_PROVIDER_SET_ONCE=done),
    ):
        yield


def settle() -> None:
    """Waits until the package's own thread has done what was posted so far."""
    runtime.worker.settle(_LONG)


@contextmanager
def isolated(use: Callable[[], object]) -> Iterator[None]:
    """What sessions change in the process during a block, with ``use()`` to begin with, is undone after it.

    Nothing is current where the block begins. A session that it leaves open ends as unknown/provider_shutdown; one that
    was open before goes on. AssertionError if the package's own thread died of an exception in the block.
    """
    registry = runtime.registry
    provider, settings = runtime._provider, runtime.settings
    providers, opened, over = list(runtime._sources), set(registry.open_records()), set(registry._over)
    died = False
    nothing_current = context.attach(context.Context())
    with replaced(registry.recent, store=None, _young={}, _old={}), replaced(registry, keeper=None):
        try:
            runtime.set(journal=False)
            use()
            yield
        finally:
            try:
                for record in registry.open_records():
                    if record not in opened:
                        registry.end(record, PROVIDER_SHUTDOWN)
            finally:
                detach_quietly(nothing_current)
                # What one test has broken must not break the others, whose ids may be the same.
                died = not runtime.worker.is_needed and not runtime.worker.is_alive
                if died:
                    runtime.worker.in_child_after_fork()
                    registry.attend()  # the thread was to do it
                registry._ending.clear()
                for trace_id in set(registry._over) - over:
                    registry._over.pop(trace_id, None)
                runtime._provider, runtime.settings = provider, settings
                runtime.keep(providers)
                runtime._is_armed = False  # by these settings it may not be
    assert not died, "the thread of agentops_otel died of the exception that it has printed"
