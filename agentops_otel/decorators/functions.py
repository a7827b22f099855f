"""One factory for everything that can be decorated: runs a function of any kind inside a session."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, ParamSpec, TypeVar, cast

from ..sessions.handle import Session

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Start = Callable[[], Session]


def run_in_session(function: Callable[P, R], start: Start) -> Callable[P, R]:
    """Wraps ``function`` so that each call of it (for generators: each iteration) is a session.

    Keeps its signature and kind, passes results and exceptions on untouched.
    """
    return cast("Callable[P, R]", functools.wraps(function)(_wrapper_for(function)(function, start)))


def _wrapper_for(function: Callable[..., Any]) -> Callable[[Any, Start], Any]:
    if inspect.isasyncgenfunction(function):
        return _async_generator
    if inspect.isgeneratorfunction(function):
        return _generator
    if inspect.iscoroutinefunction(function):
        return _coroutine
    return _plain


def _plain(function: Callable[P, R], start: Start) -> Callable[P, R]:
    def in_session(*args: P.args, **kwargs: P.kwargs) -> R:
        with start():
            return function(*args, **kwargs)

    return in_session


def _coroutine(function: Callable[P, Awaitable[R]], start: Start) -> Callable[P, Awaitable[R]]:
    async def in_session(*args: P.args, **kwargs: P.kwargs) -> R:
        with start():
            return await function(*args, **kwargs)

    return in_session


def _generator(function: Callable[P, Generator[Any, Any, R]], start: Start) -> Callable[P, Generator[Any, Any, R]]:
    # The body runs in a context of its own, like a task: between two steps the caller's context is untouched, and
    # what the body makes current is current again in its next step. A token held across a yield could do neither.
    def in_session(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, R]:
        context = contextvars.copy_context()
        generator = function(*args, **kwargs)
        with context.run(start):
            step: Callable[[], Any] = functools.partial(next, generator)
            while True:
                try:
                    item = context.run(step)
                except StopIteration as stop:
                    return cast("R", stop.value)
                try:
                    sent = yield item
                except GeneratorExit:
                    context.run(generator.close)
                    raise
                except BaseException as error:  # noqa: BLE001 - passed on to the body
                    step = functools.partial(generator.throw, error)
                else:
                    step = functools.partial(generator.send, sent)

    return in_session


def _async_generator(
    function: Callable[P, AsyncGenerator[Any, Any]], start: Start
) -> Callable[P, AsyncGenerator[Any, Any]]:
    async def in_session(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any, Any]:
        context = contextvars.copy_context()
        generator = function(*args, **kwargs)
        with context.run(start):
            step: Awaitable[Any] = generator.__anext__()
            while True:
                try:
                    item = await _InContext(context, step)
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await _InContext(context, generator.aclose())
                    raise
                except BaseException as error:  # noqa: BLE001 - passed on to the body
                    step = generator.athrow(error)
                else:
                    step = generator.asend(sent)

    return in_session


class _InContext(Awaitable[T]):
    """An awaitable whose every step runs in a given context."""

    def __init__(self, context: contextvars.Context, awaitable: Awaitable[T]) -> None:
        self._context = context
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._context.run(self._awaitable.__await__)
        step: Callable[[], Any] = functools.partial(next, steps)
        while True:
            try:
                future = self._context.run(step)
            except StopIteration as stop:
                return cast("T", stop.value)
            try:
                sent = yield future
            except GeneratorExit:
                self._context.run(steps.close)
                raise
            except BaseException as error:  # noqa: BLE001 - passed on to the body
                step = functools.partial(steps.throw, error)
            else:
                step = functools.partial(steps.send, sent)
