"""What would happen to a program in this environment: which instrumentations, which settings, and what is wrong.

Nothing is instrumented or exported for it, and no instrumentation is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from ..config import Config
from ..instrumentation import distro
from ..instrumentation.decisions import Decision, Reason, When
from ..instrumentation.pre_instrument import chosen_configurator
from . import environment as env
from .journals import journal_directory
from .settings import Setting, file_problem, settings_of

DISTRIBUTIONS = (
    "agentops-otel-sessions",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-semantic-conventions",
    "opentelemetry-instrumentation",
    "opentelemetry-distro",
    "opentelemetry-exporter-otlp",
    "wrapt",
)

_NO_EXPORTER = "none"


@dataclass(frozen=True)
class Report:
    """What was found. Problems are what loses data."""

    versions: dict[str, str | None]
    distro: str | None
    configurator: str | None
    instrumentations: list[Decision]
    settings: list[Setting]
    problems: list[str]


def examine(environment: Mapping[str, str]) -> Report:
    """Looks at what `agentops-otel run` would set up in an environment."""
    program = dict(environment)
    env.choose_distro(program)
    env.choose_exporters(program)
    chosen = distro.chosen_distro(program)
    decisions = [_under(chosen, decision) for decision in distro.decide_installed(imported=())]
    configurator = chosen_configurator(program)
    return Report(
        {name: _version(name) for name in DISTRIBUTIONS},
        chosen,
        configurator,
        decisions,
        settings_of(environment, program),
        [*_of_the_set_up(program, chosen, configurator), *_of_instrumentations(decisions)],
    )


def _under(chosen: str | None, decision: Decision) -> Decision:
    """The decision, as other distros take it: nothing waits, and what has one name is loaded all the same."""
    if chosen == distro.NAME or (decision.when is not When.WAITS and decision.reason is not Reason.TAKEN):
        return decision
    detail = f"{decision.detail}; its spans are double" if decision.reason is Reason.TAKEN else ""
    return replace(decision, when=When.NOW, reason=None, detail=detail)


def _of_the_set_up(program: Mapping[str, str], chosen: str | None, configurator: str | None) -> Iterator[str]:
    if program.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield "OTEL_SDK_DISABLED is true: nothing is recorded"
    for variable, found in (("OTEL_PYTHON_DISTRO", chosen), ("OTEL_PYTHON_CONFIGURATOR", configurator)):
        if found is None and variable in program:
            yield f"{variable} is {program[variable]!r}, which is not installed"
    if program.get("OTEL_CONFIG_FILE"):
        problem = file_problem(program["OTEL_CONFIG_FILE"])
        if problem:
            yield f"OTEL_CONFIG_FILE: {problem}"
    else:
        yield from _of_exporters(program)
    if Config.from_environment().journal and not _is_writable(journal_directory()):
        yield f"the journal cannot be written in {journal_directory()}: what a killed process leaves is lost"


def _of_exporters(program: Mapping[str, str]) -> Iterator[str]:
    names = [name.strip() for name in program["OTEL_TRACES_EXPORTER"].split(",")]
    known = {entry_point.name for entry_point in entry_points(group="opentelemetry_traces_exporter")}
    if _NO_EXPORTER in names:
        yield "OTEL_TRACES_EXPORTER is none: no session is exported"
    for name in names:
        if name not in (*known, _NO_EXPORTER, "otlp"):
            yield f"OTEL_TRACES_EXPORTER names {name!r}, which is not installed"


def _of_instrumentations(decisions: list[Decision]) -> Iterator[str]:
    own = [decision for decision in decisions if decision.name == distro.NAME]
    if not own:
        yield "the entry point of this package is not installed: sessions need the program's help"
    for decision in decisions:
        what = f"{decision.name} ({decision.distribution})"
        if decision in own and decision.when is When.NEVER:
            yield f"{what} is left out, {decision.detail}: no session is recorded by itself"
        elif decision.reason in (Reason.VERSION, Reason.UNREADABLE):
            yield f"{what} is left out: {decision.detail}"
        elif decision.when is not When.NEVER and not _is_there(decision.value.partition(":")[0]):
            yield f"{what} cannot be imported: there is no module {decision.value.partition(':')[0]}"


def _is_there(module: str) -> bool:
    """Whether a module can be found, its packages not being imported."""
    name, *rest = module.split(".")
    spec = find_spec(name)
    for part in rest:
        name = f"{name}.{part}"
        if spec is None or spec.submodule_search_locations is None:
            return False
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec is not None


def _is_writable(directory: Path) -> bool:
    """Whether there can be files in it; it is not made for that."""
    there = next(path for path in (directory, *directory.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
