"""Zero-code: what `opentelemetry-instrument` and `agentops-otel run` load.

Here is the instrumentor `agentops`, which attaches sessions and installs the other parts.

seen_providers.py  TracerProviders that the program sets up later
functions.py       functions of the user as sessions; definitions.py: decorated where they are defined
frameworks/        what agent frameworks and their instrumentations leave out
distro.py          the distro `agentops`; waiting.py: each instrumentation waits for its library;
                   decisions.py: which are loaded at all; libraries.py: which modules those libraries are
pre_instrument.py  the hook that sets the SDK up by configurator.py, where that is chosen
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Collection, Mapping
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from ..environment_variables import OTEL_PYTHON_AGENTOPS_COMPAT
from ..runtime import is_sdk, runtime
from ..sessions import arguments, options
from ..shield import Shield
from .seen_providers import SeenProviders

_logger = logging.getLogger("agentops_otel")

_IN_CODE = frozenset({"tracer_provider", "meter_provider", "logger_provider", "store"})
"""Options that are no settings. Logs and metrics of sessions always go to the global providers."""

_PARTS = ("functions", "frameworks")
"""Modules with `install` and `uninstall` for what is wrapped beyond that."""


class AgentOpsInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Attaches sessions to the TracerProvider of the program: to the one that is set, or as soon as one is.

    `instrument` takes ``tracer_provider``, to start sessions with that one, and the options of `configure`. In a file
    of ``OTEL_CONFIG_FILE`` they stand under ``instrumentation/development: python: agentops:``. An option that makes no
    sense costs one line in the log; the others count. `uninstrument` gives back everything that was wrapped. Sessions
    that are open then stay open, and end as ever.
    """

    # On the class: this is a singleton, whose __init__ would run again with each call of the class.
    _providers = SeenProviders()

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def instrument(self, **kwargs: Any) -> None:
        """As every instrumentor, but quiet where nothing is to be done.

        With ``OTEL_CONFIG_FILE``, auto-instrumentation calls it again after the file has.
        """
        if not (self.is_instrumented_by_opentelemetry and kwargs.keys() <= {"skip_dep_check"}):
            super().instrument(**kwargs)

    def _instrument(self, **kwargs: Any) -> None:
        if runtime.settings.compat:
            _serve_agentops()
        with Shield("reading the options of the agentops instrumentor"):
            _set(kwargs)
        with Shield("attaching to the TracerProvider"):
            self._attach(kwargs.get("tracer_provider"))
        for part in _PARTS:
            with Shield(f"installing {part}"):
                importlib.import_module(f".{part}", __name__).install()

    def _attach(self, chosen: Any) -> None:
        self._providers.install()
        if is_sdk(chosen):
            runtime.use(chosen)
        elif is_sdk(runtime.provider()):
            runtime.install(runtime.provider())

    def _uninstrument(self, **kwargs: Any) -> None:
        for part in reversed(_PARTS):
            with Shield(f"uninstalling {part}"):
                importlib.import_module(f".{part}", __name__).uninstall()
        self._providers.uninstall()
        runtime.release()


def _set(given: Mapping[str, Any]) -> None:
    """Changes the settings that are named."""
    settings: dict[str, Any] = {}
    for name, value in given.items():
        settings |= _settings(name, value)
    if settings:
        runtime.set(**settings)


def _settings(name: str, value: Any) -> Mapping[str, Any]:
    try:
        if name == "tracer_provider" and value is not None:
            arguments.instance_with(name, value, "add_span_processor", "get_tracer")
        elif name == "store" and value is not None:
            runtime.registry.recent.store = arguments.instance_with(name, value, "get", "put")
        elif name == "service_name":
            _logger.debug("service_name has no effect on a TracerProvider that somebody else sets up")
        elif name not in _IN_CODE:
            return options.checked(name, value)
    except (TypeError, ValueError) as error:
        _logger.warning("an option of the agentops instrumentor is left out: %s", error)
    return {}


def _serve_agentops() -> None:
    from ..compat.install import install  # imported here: few programs need it

    try:
        install()
    except RuntimeError as error:
        _logger.warning("%s: %s", OTEL_PYTHON_AGENTOPS_COMPAT, error)
