"""CrewAI: OpenInference marks its runs, but for those that are asynchronous all the way down."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from .as_workflow import as_workflow
from .wrapping import Wrapping


def install(crewai: ModuleType, wrapping: Wrapping) -> None:
    wrapping.wrap("Crew.akickoff", _around)


def _around(run: Callable[..., Any], crew: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # One that streams only makes the stream, which calls this again.
    return run(*args, **kwargs) if getattr(crew, "stream", False) else as_workflow(run, crew, args, kwargs)
