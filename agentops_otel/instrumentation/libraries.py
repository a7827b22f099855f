"""Which libraries an instrumentation is for, and by which modules a program imports them. Nothing is imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_EXTRAS = ("instruments", "instruments-any")
"""Extras of an instrumentation that name its libraries, as OpenTelemetry's `dependencies` module reads them."""

_FAMILIES = (frozenset({"langchain", "langchain-core", "langgraph"}),)
"""Distributions of which an instrumentation names one and wraps functions of all: programs use them by parts."""

_SUFFIXES = (".py", *EXTENSION_SUFFIXES)


def modules_of_libraries(instrumentation: Distribution) -> frozenset[str]:
    """The modules by whose import one of its libraries comes into a program; empty where nothing can be said."""
    names = set(_libraries(instrumentation.requires or ()))
    for family in _FAMILIES:
        if names & family:
            names |= family
    return frozenset(module for name in names for module in _modules_of(name))


def _libraries(requirements: Iterable[str], extras: Iterable[str] = _EXTRAS) -> Iterator[str]:
    for line in requirements:
        if "extra" in line:  # spares the reading of all others
            requirement = Requirement(line)
            if requirement.marker and any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
                yield canonicalize_name(requirement.name)


def _modules_of(name: str) -> frozenset[str]:
    """The modules that a distribution is imported by; none if it is not installed."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return frozenset()
    modules = _outermost((found.read_text("RECORD") or "").splitlines())
    if modules:
        return modules
    # Neither an editable installation nor an egg lists its modules. A namespace says nothing: it has other parts.
    guesses = (found.read_text("top_level.txt") or name.replace("-", "_")).split()
    modules = frozenset(guess for guess in guesses if guess.isidentifier() and _is_module(guess))
    # A distribution that only brings others together.
    return modules or frozenset(module for part in _parts(found) for module in _modules_of(part))


def _parts(found: Distribution) -> Iterator[str]:
    """What it requires of its own family: ``x`` of ``x-core`` and ``x-cli``."""
    own = canonicalize_name(found.metadata["Name"])
    for line in found.requires or ():
        try:
            name = canonicalize_name(Requirement(line).name)
        except InvalidRequirement:
            continue
        if "extra" not in line and name.startswith(f"{own}-"):
            yield name


def _is_module(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.loader is not None and spec.has_location


def _outermost(record: Iterable[str]) -> frozenset[str]:
    """The packages and modules in a RECORD that are in no other package: those below a namespace have dotted names."""
    files = [line.partition(",")[0].split("/") for line in record if line.partition(",")[0].endswith(_SUFFIXES)]
    files = [parts for parts in files if all(part.isidentifier() for part in parts[:-1])]
    packages = {".".join(parts[:-1]) for parts in files if parts[-1].partition(".")[0] == "__init__"}
    return frozenset(_outermost_of(parts, packages) for parts in files)


def _outermost_of(parts: list[str], packages: set[str]) -> str:
    for depth in range(1, len(parts)):
        package = ".".join(parts[:depth])
        if package in packages:
            return package
    return ".".join([*parts[:-1], parts[-1].partition(".")[0]])
