"""Modules that may be imported later, or never: they are not imported for our sake.

wrapt has hooks for this too. But it loads asyncio, which is 25 ms, and in every import of the process it takes a
lock that a fork may leave taken in the child.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..shield import Shield

Hook = Callable[[ModuleType], object]

_HOOKING = Shield("wrapping functions of a module that was imported")


class Imports:
    """Calls ``hook(module)`` after each import of a module that is named; for those that are there already, at once.

    A finder of ``sys.meta_path``. Takes no locks: an import holds the one of its module.
    """

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self._hooks = hooks

    def install(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
            for name, hook in self._hooks.items():
                if sys.modules.get(name) is not None:
                    with _HOOKING:
                        hook(importlib.import_module(name))  # waits, if another thread is importing it

    def uninstall(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        hook = self._hooks.get(name)
        if hook is None:
            return None
        spec = find_after(self, name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _HookedLoader(spec.loader, hook)  # type: ignore[assignment]
        return spec


def find_after(finder: object, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
    """What the finders of ``sys.meta_path`` behind this one find."""
    others = iter(sys.meta_path)
    for other in others:
        if other is finder:
            break
    for other in others:
        find: Any = getattr(other, "find_spec", None)
        spec: ModuleSpec | None = None if find is None else find(name, path, target)
        if spec is not None:
            return spec
    return None


class _HookedLoader:
    """The loader of one module, which nobody sees once the module is being executed."""

    def __init__(self, loader: Any, hook: Hook) -> None:
        self._loader = loader
        self._hook = hook

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        with _HOOKING:
            self._hook(module)

    def __getattr__(self, name: str) -> Any:  # what others ask a loader for: source, resources
        return getattr(self._loader, name)
