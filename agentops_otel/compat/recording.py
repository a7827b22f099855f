"""Decorators that record each call of a function, as programs of the AgentOps SDK before 0.4 use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..decorators.functions import Begin, wrap
from ..runtime import runtime
from ..sessions.context import Attachment
from ..sessions.handle import Session as Handle
from .decorators import EntityDecorator, task, tool
from .recorded import count_action
from .traces import only

F = TypeVar("F", bound=Callable[..., Any])


class Within(Attachment):
    """Surrounds a call that belongs to a session."""

    __slots__ = ("session",)

    def __init__(self, session: Handle) -> None:
        super().__init__(session, session._record)
        self.session = session

    def returned(self, value: Any) -> None: ...

    def yielded(self, item: Any) -> None: ...


def record_action(event_name: str | None = None) -> Callable[[F], F]:
    """Makes each call of a function a task, named after the function where no name is given.

    A call may say ``session=`` which session it belongs to; the function is not told. Where nothing is current, as in
    a thread that is older than the session, it belongs to the one that is open, if there is but one.
    """
    return _recorder(task, event_name, _action)


def record_function(event_name: str) -> Callable[[F], F]:
    """As `record_action`."""
    return _recorder(task, event_name, _action)


def record_tool(tool_name: str | None = None) -> Callable[[F], F]:
    """Makes each call of a function a call of a tool; otherwise as `record_action`."""
    return _recorder(tool, tool_name, _in_its_session)


def _recorder(decorator: EntityDecorator, name: str | None, begin: Begin) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        return wrap(decorator(name=name)(function), begin)  # type: ignore[return-value]

    return decorate


def _action(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Within | None:
    within = _in_its_session(args, kwargs)
    count_action(runtime.current() if within is None else within.session)
    return within


def _in_its_session(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Within | None:
    given = kwargs.pop("session", None)  # from the arguments themselves: the function gets what is left
    context = only() if given is None else getattr(given, "trace_context", None)
    if given is not None and context is None:
        kwargs["session"] = given  # of another kind, and the function's own
    return None if context is None else Within(context.session)
