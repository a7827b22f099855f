"""One factory for everything that can be decorated: surrounds each call of a function of any kind with a block."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import CodeType, TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Block(Protocol):
    """What surrounds one call; for generators: one iteration. Must raise nothing."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def returned(self, value: Any, /) -> None:
        """Told what a function returns, or a coroutine. Not called for generators."""

    def yielded(self, item: Any, /) -> None:
        """Told each item of a generator."""


Begin = Callable[[tuple[Any, ...], dict[str, Any]], Block | None]
"""Makes the block for a call from its arguments; None: this call is as if the function were not decorated."""

_wrappers: set[CodeType] = set()
"""The code of what `wrap` returns: one for each kind of function."""


def wrap(function: Callable[P, R], begin: Begin) -> Callable[P, R]:
    """Surrounds each call of ``function`` (for generators: each iteration) with a block.

    Keeps its signature and kind, passes results and exceptions on untouched.
    """
    wrapper = _wrapper_for(function)(function, begin)
    _wrappers.add(wrapper.__code__)
    return cast("Callable[P, R]", functools.wraps(function)(wrapper))


def is_wrapped(function: Callable[..., Any]) -> bool:
    """Whether `wrap` made this function, or one that it wraps by the rules of `functools.wraps`."""

    def is_ours(function: Callable[..., Any]) -> bool:
        return getattr(function, "__code__", None) in _wrappers

    return is_ours(inspect.unwrap(function, stop=is_ours))


def blocks_left_by(error: BaseException) -> Iterator[Block]:
    """The blocks that an exception has come through on its way here, outermost first.

    Read from its traceback, so nothing has to be kept, and nothing is added to the exception. An exception object
    that is raised again has those of earlier times, too.
    """
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code in _wrappers:
            block = step.tb_frame.f_locals.get("block")
            if block is not None:
                yield block
        step = step.tb_next


def underlying(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that a call of ``function`` runs: partials and callable objects have another one inside."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _wrapper_for(function: Callable[..., Any]) -> Callable[[Any, Begin], Any]:
    # The object itself, too: it may be marked as a coroutine function.
    kinds = (function, underlying(function))
    if any(map(inspect.isasyncgenfunction, kinds)):
        return _async_generator
    if any(map(inspect.isgeneratorfunction, kinds)):
        return _generator
    if any(map(inspect.iscoroutinefunction, kinds)):
        return _coroutine
    return _plain


# Each of these has its block in a local variable of this name: `blocks_left_by` reads it.


def _plain(function: Callable[P, R], begin: Begin) -> Callable[P, R]:
    def in_block(*args: P.args, **kwargs: P.kwargs) -> R:
        block = begin(args, kwargs)
        if block is None:
            return function(*args, **kwargs)
        with block:
            result = function(*args, **kwargs)
            block.returned(result)
        return result

    return in_block


def _coroutine(function: Callable[P, Awaitable[R]], begin: Begin) -> Callable[P, Awaitable[R]]:
    async def in_block(*args: P.args, **kwargs: P.kwargs) -> R:
        block = begin(args, kwargs)
        if block is None:
            return await function(*args, **kwargs)
        with block:
            result = await function(*args, **kwargs)
            block.returned(result)
        return result

    return in_block


def _generator(function: Callable[P, Generator[Any, Any, R]], begin: Begin) -> Callable[P, Generator[Any, Any, R]]:
    # The body runs in a context of its own, like a task: between two steps the caller's context is untouched, and
    # what the body makes current is current again in its next step. A token held across a yield could do neither.
    def in_block(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, R]:
        block = begin(args, kwargs)
        if block is None:
            return (yield from function(*args, **kwargs))
        context = contextvars.copy_context()
        generator = function(*args, **kwargs)
        with _Within(context, block):
            step: Callable[[], Any] = functools.partial(next, generator)
            while True:
                try:
                    item = context.run(step)
                except StopIteration as stop:
                    return cast("R", stop.value)
                block.yielded(item)
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

    return in_block


def _async_generator(
    function: Callable[P, AsyncGenerator[Any, Any]], begin: Begin
) -> Callable[P, AsyncGenerator[Any, Any]]:
    async def in_block(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any, Any]:
        block = begin(args, kwargs)
        context = None if block is None else contextvars.copy_context()
        generator = function(*args, **kwargs)
        with _Within(context, block) if context is not None and block is not None else _NOTHING:
            step: Awaitable[Any] = generator.__anext__()
            while True:
                try:
                    item = await (step if context is None else _InContext(context, step))
                except StopAsyncIteration:
                    return
                if block is not None:
                    block.yielded(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    # At its end an event loop closes all generators at once: then it may be at this one already.
                    if not getattr(generator, "ag_running", False):
                        closing = generator.aclose()
                        await (closing if context is None else _InContext(context, closing))
                    raise
                except BaseException as error:  # noqa: BLE001 - passed on to the body
                    step = generator.athrow(error)
                else:
                    step = generator.asend(sent)

    return in_block


_NOTHING: AbstractContextManager[None] = nullcontext()


class _Within:
    """A block whose beginning and end run in a given context."""

    def __init__(self, context: contextvars.Context, block: Block) -> None:
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
