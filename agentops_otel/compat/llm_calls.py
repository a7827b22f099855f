"""Spans of LLM calls: by the official instrumentations that are installed, as soon as a client is imported."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterator
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

_logger = logging.getLogger("agentops_otel")

_waiting: list[Imports] = []


def instrument() -> None:
    """Loads them, each when its library is imported. They are the extras of this package; may be called again.

    Not those that ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` names. Where auto-instrumentation is at work, it is the
    one that says which are loaded.
    """
    if _waiting or _AUTO_INSTRUMENTATION in sys.modules:
        return
    hooks = {
        module: functools.partial(_load, point)
        for point in _official()
        if not config.is_disabled(point.name)
        for module in _MODULES.get(point.name, (point.name.replace("-", "_"),))
    }
    _waiting.append(Imports(hooks))
    _waiting[0].install()


@functools.cache
def load(name: str) -> None:
    """Loads one of them now; says if it is not installed."""
    if config.is_disabled(name):
        return
    point = next((point for point in _official() if point.name == name), None)
    if point is None:
        _logger.warning("no spans of %s: %s%s is not installed", name, _OFFICIAL, name)
    else:
        _load(point)


def _official() -> Iterator[EntryPoint]:
    for point in entry_points(group="opentelemetry_instrumentor"):
        if point.dist is not None and point.dist.name.replace("_", "-").startswith(_OFFICIAL):
            yield point


def _load(point: EntryPoint, *library: ModuleType) -> None:
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
