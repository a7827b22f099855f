"""Agent frameworks whose runs are marked by nobody, or with ids left out: where a run of each begins.

The table says which module of this package belongs to which framework. It is loaded when the program imports that
framework, and never before. All others need nothing of this: their instrumentation says what a run is.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Final, NamedTuple

import wrapt

from ...shield import Shield
from .wrapping import NotThere, Wrapping

_logger = logging.getLogger("agentops_otel")
_FITTING = Shield("fitting to an agent framework")


class Boundary(NamedTuple):
    """What belongs to a framework."""

    distribution: str
    """What it is installed as: a module of this name may be anybody's."""

    module: str
    """The module here; its ``install(framework, wrapping)`` wraps what it needs of the framework."""


BOUNDARIES: Final[Mapping[str, Boundary]] = {
    "agents": Boundary("openai-agents", "openai_agents"),
    "pydantic_ai": Boundary("pydantic-ai-slim", "pydantic_ai"),
    "strands": Boundary("strands-agents", "strands"),
    "crewai": Boundary("crewai", "crewai"),
    "openinference.instrumentation.crewai._wrappers": Boundary(
        "openinference-instrumentation-crewai", "openinference_crewai"
    ),
    "google.adk.runners": Boundary("google-adk", "google_adk"),
    "autogen_agentchat.teams": Boundary("autogen-agentchat", "autogen"),
    "claude_agent_sdk": Boundary("claude-agent-sdk", "claude_agent_sdk"),
    "haystack.core.pipeline.pipeline": Boundary("haystack-ai", "haystack"),
    "haystack.components.agents.agent": Boundary("haystack-ai", "haystack"),
    "haystack.tools.tool": Boundary("haystack-ai", "haystack"),
}
"""By the module whose import begins them."""

_hooked: set[str] = set()
"""Those whose import is waited for: a hook cannot be taken back."""

_wrappings: dict[str, Wrapping] = {}
_is_on = False


def install() -> None:
    """Has each framework fitted as soon as it is imported; those that are imported already, at once."""
    global _is_on
    _is_on = True
    for name in BOUNDARIES:
        if name not in _hooked:
            _hooked.add(name)
            wrapt.register_post_import_hook(functools.partial(_imported, name), name)
    for name, wrapping in list(_wrappings.items()):  # another thread may be importing
        _fit(name, wrapping)


def uninstall() -> None:
    """Gives back what was wrapped, and leaves alone what is imported from now on."""
    global _is_on
    _is_on = False
    for wrapping in list(_wrappings.values()):
        with _FITTING:
            wrapping.undo()


def _imported(name: str, framework: ModuleType) -> None:
    _wrappings[name] = Wrapping(framework)
    if _is_on:
        _fit(name, _wrappings[name])


def _fit(name: str, wrapping: Wrapping) -> None:
    distribution, module = BOUNDARIES[name]
    with _FITTING:
        try:
            found = version(distribution)
        except PackageNotFoundError:  # something else of that name
            return
        if wrapping.is_done:
            return
        try:
            importlib.import_module(f"{__name__}.{module}").install(wrapping.framework, wrapping)
        except NotThere as missing:
            wrapping.undo()
            _logger.warning(
                "%s %s has no %s: it is too old or too new for agentops_otel, which leaves it as it is",
                distribution,
                found,
                missing,
            )
