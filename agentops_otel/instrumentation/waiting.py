"""What waits for a library to be imported."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from wrapt import register_post_import_hook

from ..shield import Shield

_LOADING = Shield("loading what waited for an import")


@dataclass(eq=False)
class _Waiting:
    modules: frozenset[str]
    needs: frozenset[str]
    """Modules that must not be in the middle of their import: its own ones, and what it wraps functions of."""
    load: Callable[[], object]
    is_due: bool = False


class Line:
    """What waits, in the order in which it came.

    Its turn comes in the thread that imports the first of its modules, before that import statement is through: nobody
    has seen the library without it. Nothing that it raises reaches the import. Thread-safe. A hook of wrapt stays for
    ever, and does nothing more.
    """

    def __init__(self) -> None:
        self._waiting: dict[_Waiting, bool] = {}
        """As a dict, because ``pop`` is the claim: who gets it loads it."""

    def wait(self, modules: frozenset[str], own: str, load: Callable[[], object]) -> None:
        """Calls ``load()`` once, when any of ``modules`` is imported. ``own``: the module that it is itself in."""
        self._waiting[_Waiting(modules, modules | {own}, load)] = True
        for name in sorted({*modules, own}):
            # Calls it at once for a module that has come since somebody looked.
            register_post_import_hook(functools.partial(self._is_imported, name), name)

    def _is_imported(self, name: str, module: ModuleType) -> None:
        waiting = list(self._waiting)
        for one in waiting:
            one.is_due = one.is_due or name in one.modules
        for one in waiting:
            # Half of a module is worse than none: what looks for a function to wrap would not find it. So all waits
            # until the outermost of them is through: `langgraph.pregel`, which imports `langchain_core`, or the
            # instrumentation itself, if the program has imported that.
            in_the_middle = any(_is_being_imported(other) for other in one.needs - {name})
            if one.is_due and not in_the_middle and self._waiting.pop(one, False):
                with _LOADING:
                    one.load()


def _is_being_imported(name: str) -> bool:
    # What the import system itself goes by, from Python 3.3 to this day; without it nobody would wait.
    return bool(getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False))
