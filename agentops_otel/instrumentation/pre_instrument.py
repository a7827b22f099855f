"""Before instrumentations are loaded: the SDK, where ours is the configurator.

OpenTelemetry takes a configurator by an entry point, the first that it finds, and warns of each other one at every
start of every program. So ours has none, and is called by the hook that comes next.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.instrumentation.version import __version__ as version
from opentelemetry.util._importlib_metadata import entry_points

from .. import config
from ..runtime import is_sdk, runtime
from ..shield import Shield

NAME = "agentops"
"""Of our configurator."""

_CONFIGURING = Shield("setting the SDK up")


def configure_if_chosen() -> None:
    """What OpenTelemetry calls after the configurators, and before it loads instrumentations.

    Sets the SDK up if ours was chosen, or nobody has a configurator.
    """
    with _CONFIGURING:
        if chosen_configurator(config.environment()) == NAME and not is_sdk(runtime.provider()):
            # Imported here: what is raised by the import of a hook ends all of auto-instrumentation.
            from .configurator import AgentOpsConfigurator

            AgentOpsConfigurator().configure(auto_instrumentation_version=version)  # type: ignore[no-untyped-call]


def chosen_configurator(environment: Mapping[str, str]) -> str | None:
    """The name of the configurator that is taken in an environment; None where one is chosen that is not there."""
    named = environment.get("OTEL_PYTHON_CONFIGURATOR")
    installed = [entry_point.name for entry_point in entry_points(group="opentelemetry_configurator")]
    if named is None:
        return next(iter(installed), NAME)
    return named if named in (*installed, NAME) else None
