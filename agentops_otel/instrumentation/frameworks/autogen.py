"""AutoGen: it marks runs of agents itself; in a run of a team each turn of an agent is marked, and not the whole."""

from __future__ import annotations

from types import ModuleType

from .as_workflow import as_workflow
from .wrapping import Wrapping


def install(teams: ModuleType, wrapping: Wrapping) -> None:
    wrapping.wrap("BaseGroupChat.run_stream", as_workflow)  # `run` is made of it
