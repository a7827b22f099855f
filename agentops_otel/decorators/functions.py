"""One factory for everything that can be decorated: runs a function of any kind inside a session."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Open = Callable[[], AbstractContextManager[object]]


def run_in_session(function: Callable[P, R], open_session: Open) -> Callable[P, R]:
    """Wraps ``function`` so that each call of it (for generators: each iteration) is a session.

    Keeps its signature and kind, passes results and exceptions on untouched.
    """
    return cast("Callable[P, R]", functools.wraps(function)(_wrapper_for(function)(function, open_session)))


def _wrapper_for(function: Callable[..., Any]) -> Callable[[Any, Open], Any]:
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        function = type(function).__call__  # a callable object
    if inspect.isasyncgenfunction(function):
        return _async_generator
    if inspect.isgeneratorfunction(function):
        return _generator
    if inspect.iscoroutinefunction(function):
        return _coroutine
    return _plain


def _plain(function: Callable[P, R], open_session: Open) -> Callable[P, R]:
    def in_session(*args: P.args, **kwargs: P.kwargs) -> R:
        with open_session():
            return function(*args, **kwargs)

    return in_session


def _coroutine(function: Callable[P, Awaitable[R]], open_session: Open) -> Callable[P, Awaitable[R]]:
    async def in_session(*args: P.args, **kwargs: P.kwargs) -> R:
        with open_session():
            return await function(*args, **kwargs)

    return in_session


def _generator(
    function: Callable[P, Generator[Any, Any, R]], open_session: Open
) -> Callable[P, Generator[Any, Any, R]]:
    # The body runs in a context of its own, like a task: between two steps the caller's context is untouched, and
    # what the body makes current is current again in its next step. A token held across a yield could do neither.
    def in_session(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, R]:
        context = contextvars.copy_context()
        generator = function(*args, **kwargs)
        with _Within(context, open_session()):
            step: Callable[[], Any] = functools.partial(next, generator)
            while True:
                try:
                    item = context.run(step)
                except StopIteration as stop:
                    return cast("R", stop.value)
                try:
                    sent = yield item
                except GeneratorExit:
                    value = context.run(generator.close)
                    if value is not None:  # Python 3.13: what a body that catches it returns
                        return cast("R", value)
                    raise
                except BaseException as error:  # noqa: BLE001 - passed on to the body
                    step = functools.partial(generator.throw, error)
                else:
                    step = functools.partial(generator.send, sent)

    return in_session


def _async_generator(
    function: Callable[P, AsyncGenerator[Any, Any]], open_session: Open
) -> Callable[P, AsyncGenerator[Any, Any]]:
    async def in_session(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any, Any]:
        context = contextvars.copy_context()
        generator = function(*args, **kwargs)
        with _Within(context, open_session()):
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


class _Within:
    """A ``with`` block whose beginning and end run in a given context."""

    def __init__(self, context: contextvars.Context, block: AbstractContextManager[object]) -> None:
        self._context = context
        self._block = block

    def __enter__(self) -> None:
        self._context.run(self._block.__enter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._context.run(self._block.__exit__, kind, error, traceback)


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
