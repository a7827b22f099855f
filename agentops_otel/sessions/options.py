"""The settings that a program can change, checked: the options of `configure` and of the instrumentor."""

from __future__ import annotations

from typing import Any

from ..config import RUNS
from . import arguments

SETTINGS = ("signals", "exit_timeout", "propagation", "redact", "journal", "adopt")
"""The options that are settings."""


def checked(name: str, value: Any) -> dict[str, Any]:
    """Fields of `config.Config`, by the option of this name; None changes nothing.

    Raises TypeError or ValueError, which name the option, for a value that makes no sense.
    """
    if value is None:
        return {}
    if name in ("signals", "propagation"):
        return {name: arguments.boolean(name, value)}
    if name == "exit_timeout":
        return {name: arguments.seconds(name, value, zero=True)}
    if name == "redact":
        return {name: arguments.function(name, value)}
    if name == "journal":
        directory = None if isinstance(value, bool) else arguments.directory(name, value)
        return {"journal": value is not False, "journal_directory": directory}
    if name == "adopt":
        named = () if isinstance(value, bool) else arguments.tags(name, value)
        return {"adopted": frozenset() if value is False else RUNS | {*named}}
    raise TypeError(f"{name!r} is no option; there are {', '.join(SETTINGS)}")
