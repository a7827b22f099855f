"""`session`: a ``with`` block or a decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from opentelemetry.context import Context

from ..sessions.context import detach_quietly
from ..sessions.handle import Session
from ..sessions.starting import Plan, location_of
from ..shield import encodable
from .functions import wrap

P = ParamSpec("P")
R = TypeVar("R")

Started = tuple[Session, Token[Context] | None]


class SessionScope:
    """A session that has not started: use it in ``with`` or ``async with``, or as a decorator.

    May be used again; each use is a session of its own. Not for two threads or tasks at the same time in ``with``
    (each call of a decorated function has its own, there it is fine).
    """

    __slots__ = ("_entered", "_plan", "_start")

    def __init__(self, start: Callable[[Plan], Started], plan: Plan) -> None:
        self._start = start
        self._plan = plan
        self._entered: list[Started] = []

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Makes each call of ``function`` a session, named after the function where no name was given."""
        if not callable(function) or inspect.isclass(function):
            raise TypeError(f"session decorates a function, not {function!r}")
        name = self._plan.name or getattr(function, "__name__", None) or type(function).__name__
        plan = self._plan._replace(name=encodable(name), location=location_of(function))
        return wrap(function, lambda args, kwargs: SessionCall(self._start, plan))

    def __enter__(self) -> Session:
        started = self._start(self._plan)
        self._entered.append(started)
        return started[0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, token = self._entered.pop()
        if token is not None:
            detach_quietly(token)
        session._leave(error)

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


class SessionCall(SessionScope):
    """The session of one call of a decorated function."""

    __slots__ = ()

    def returned(self, value: Any) -> None:
        """Nothing: what a function returns is no business of its session."""

    def yielded(self, item: Any) -> None:
        """Nothing."""
