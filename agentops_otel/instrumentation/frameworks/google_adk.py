"""The Agent Development Kit: it marks its runs itself, before 2.x with their conversation only on some of the spans."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

from ...decorators.functions import wrap
from ...sessions.adoption import hinted
from .wrapping import Wrapping


def install(runners: ModuleType, wrapping: Wrapping) -> None:
    wrapping.wrap("Runner.run_async", _around)  # `run` is made of it


def _around(run: Callable[..., Any], runner: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return wrap(run, lambda args, kwargs: _Hint(kwargs.get("session_id")))(*args, **kwargs)


class _Hint:
    """What is said of a run around all steps of the generator that it is."""

    def __init__(self, conversation_id: object) -> None:
        self._said = hinted(conversation_id=conversation_id)

    def __enter__(self) -> None:
        self._said.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Without the error: it is passed on by who calls this.
        self._said.__exit__(None, None, None)

    def returned(self, value: object) -> None:
        """Nothing."""

    def yielded(self, item: object) -> None:
        """Nothing."""
