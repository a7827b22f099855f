"""Functions of a framework that are wrapped, and given back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""Gets what it wraps (bound), what that is bound to, and the arguments of a call."""


class NotThere(Exception):
    """The framework has no such name."""


class Wrapping:
    """What was done to one framework. Not for several threads at once."""

    def __init__(self, framework: ModuleType) -> None:
        self.framework = framework
        self._undo: list[Callable[[], object]] = []

    @property
    def is_done(self) -> bool:
        return bool(self._undo)

    def get(self, path: str) -> Any:
        """What is at a path from the framework, such as "Runner.run"; `NotThere` if nothing is."""
        try:
            return functools.reduce(getattr, path.split("."), self.framework)
        except AttributeError:
            raise NotThere(path) from None

    def wrap(self, path: str, wrapper: Wrapper) -> None:
        """Wraps the function at a path."""
        self.get(path)
        owner, _, name = path.rpartition(".")
        self.wrap_of(self.get(owner) if owner else self.framework, name, wrapper)

    def wrap_of(self, owner: Any, name: str, wrapper: Wrapper) -> None:
        """Wraps a function of any class, module or object."""
        was_here = name in vars(owner)
        # As it stands in a class, not as the class gives it away: a class method must stay one.
        original = vars(owner)[name] if was_here else getattr(owner, name)
        is_on = True
        replacement = wrapt.FunctionWrapper(original, wrapper, enabled=lambda: is_on)
        setattr(owner, name, replacement)

        def undo() -> None:
            # What somebody else has wrapped since stays, and goes through here as if nothing were.
            nonlocal is_on
            is_on = False
            if vars(owner).get(name) is replacement:
                if was_here:
                    setattr(owner, name, original)
                else:
                    delattr(owner, name)

        self.undo_by(undo)

    def undo_by(self, undo: Callable[[], object]) -> None:
        """Has this called when everything is given back."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Gives everything back, the latest first."""
        while self._undo:
            self._undo.pop()()
