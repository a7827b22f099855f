"""What happens to each instrumentation that is installed: loaded at once, when its library is imported, or not at all.

One function, `decide`, for the distro that does it and for `agentops-otel doctor` that tells about it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from importlib.metadata import EntryPoint

from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from .libraries import modules_of_libraries

OFFICIAL = "opentelemetry-instrumentation-genai-"
"""How the names of OpenTelemetry's own instrumentations of agents and models begin."""

_AT_ONCE = {"opentelemetry-instrumentation-system-metrics"}
"""Instrumentations whose library is a tool of theirs: they work in programs that never import it."""

_ALL = "*"


class When(str, Enum):
    """When an instrumentation is loaded."""

    NOW = "now"
    WAITS = "waits"
    NEVER = "never"


class Reason(str, Enum):
    """Why it is never loaded."""

    DISABLED = "disabled"
    MISSING = "missing library"
    VERSION = "version conflict"
    TAKEN = "name taken"
    UNREADABLE = "unreadable metadata"


@dataclass(frozen=True)
class Decision:
    """What happens to one entry point of the group ``opentelemetry_instrumentor``."""

    name: str
    value: str
    distribution: str
    """The distribution that it is of, and its version."""
    when: When = When.NOW
    modules: frozenset[str] = frozenset()
    """Modules of the library; the import of any of them is what it waits for."""
    reason: Reason | None = None
    detail: str = ""
    """The reason in words."""

    @property
    def is_official(self) -> bool:
        return self.distribution.startswith(OFFICIAL)


def disabled_names(text: str) -> frozenset[str]:
    """The entry points that ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` names."""
    return frozenset(word.strip() for word in text.split(",")) if text else frozenset()


def decide(
    entry_points: Iterable[EntryPoint], disabled: Collection[str] = (), imported: Container[str] = sys.modules
) -> list[Decision]:
    """One decision for each entry point, in the same order, by the rules of `opentelemetry-instrument`.

    One rule is added. Several vendors have entry points of one name for one library; where both were loaded, each call
    would be two spans. The official one is taken, or else the first. ``imported``: the modules that are there already.
    Imports nothing.
    """
    decisions = [_alone(entry_point, disabled, imported) for entry_point in entry_points]
    return [_beside(decision, decisions) for decision in decisions]


def _alone(entry_point: EntryPoint, disabled: Collection[str], imported: Container[str]) -> Decision:
    found = entry_point.dist
    if found is None:  # made by hand: nothing is known of it
        return Decision(entry_point.name, entry_point.value, "")
    name = canonicalize_name(found.metadata["Name"])
    decision = Decision(entry_point.name, entry_point.value, f"{name} {found.version}")
    if _ALL in disabled or entry_point.name in disabled:
        return _never(decision, Reason.DISABLED, "by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    try:
        conflict = get_dist_dependency_conflicts(found)
        modules = frozenset[str]() if conflict or name in _AT_ONCE else modules_of_libraries(found)
    except InvalidRequirement as error:
        return _never(decision, Reason.UNREADABLE, f"its requirements: {error}")
    if conflict is not None:
        installed = conflict.found or ", ".join(conflict.found_any or ())
        wanted = conflict.required or " or ".join(map(str, conflict.required_any or ()))
        wanted = str(wanted).partition(";")[0].strip()
        if installed:
            return _never(decision, Reason.VERSION, f"it is for {wanted}, and {installed} is installed")
        return _never(decision, Reason.MISSING, f"{wanted} is not installed")
    is_there = not modules or any(module in imported for module in modules)
    return replace(decision, when=When.NOW if is_there else When.WAITS, modules=modules)


def _beside(decision: Decision, all_of_them: Iterable[Decision]) -> Decision:
    """The decision, where others want the same."""
    if decision.when is When.NEVER:
        return decision
    rivals = [
        other
        for other in all_of_them
        if other.name == decision.name and other.when is not When.NEVER and other.modules & decision.modules
    ]
    taken_by = next((rival for rival in rivals if rival.is_official), rivals[0] if rivals else decision)
    if taken_by is decision:
        return decision
    return _never(decision, Reason.TAKEN, f"{taken_by.distribution} instruments the same library under the same name")


def _never(decision: Decision, reason: Reason, detail: str) -> Decision:
    return replace(decision, when=When.NEVER, reason=reason, detail=detail)
