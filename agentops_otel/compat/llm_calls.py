"""Spans of LLM calls: by the official instrumentations that are installed, as soon as a client is imported."""

from __future__ import annotations

import functools
import sys
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from .. import config
from ..across.imports import Imports
from ..shield import Shield

_AUTO_INSTRUMENTATION = "opentelemetry.instrumentation.auto_instrumentation"
_OFFICIAL = "opentelemetry-instrumentation-genai-"
_MODULES = {
    "langchain": ("langchain_core",),
    "llama-index": ("llama_index_instrumentation",),
    "openai_agents": ("agents",),
}
"""By whose import a library comes into a program, where that is not the name of the instrumentation."""

_IN_PARTS = ("langchain",)
"""Libraries of which programs install parts, where their instrumentations ask for the whole."""

_waiting: list[Imports] = []


def instrument() -> None:
    """Loads them, each when its library is imported. They are the extras of this package; may be called again.

    Not those that ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` names. Where auto-instrumentation is at work, it is the
    one that says which are loaded.
    """
    if _waiting or _AUTO_INSTRUMENTATION in sys.modules:
        return
    found = [
        point
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.dist is not None
        and point.dist.name.replace("_", "-").startswith(_OFFICIAL)
        and not config.is_disabled(point.name)
    ]
    hooks = {
        module: functools.partial(_load, point)
        for point in found
        for module in _MODULES.get(point.name, (point.name.replace("-", "_"),))
    }
    _waiting.append(Imports(hooks))
    _waiting[0].install()


def _load(point: EntryPoint, library: ModuleType) -> None:
    with Shield(f"loading the instrumentation {point.name}"):
        if point.name not in _IN_PARTS and not _is_installed(point):
            return  # a module of the program has the same name, such as `agents`
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(skip_dep_check=point.name in _IN_PARTS)


def _is_installed(point: EntryPoint) -> bool:
    """Whether the library of an instrumentation is there, in whatever version."""
    # Imported here: it takes a while, and most programs have no such instrumentation.
    from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

    conflict = None if point.dist is None else get_dist_dependency_conflicts(point.dist)
    return conflict is None or bool(conflict.found or conflict.found_any)
