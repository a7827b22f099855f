"""The OpenTelemetry distro `agentops`: the stock one, but instrumentations wait for what they instrument.

Most of them import their library, which may take seconds, also in programs that never use it. Chosen by
``OTEL_PYTHON_DISTRO=agentops``; `agentops-otel run` chooses it.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Container, Iterable, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from opentelemetry.instrumentation.dependencies import DependencyConflict, DependencyConflictError
from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.instrumentation.environment_variables import (
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS,
    OTEL_PYTHON_DISTRO,
)
from opentelemetry.util._importlib_metadata import entry_points

from .. import config
from ..shield import Shield
from .decisions import Decision, Reason, When, decide, disabled_names
from .waiting import Line

try:
    from opentelemetry.distro import OpenTelemetryDistro as _StockDistro
except ModuleNotFoundError:  # it comes with the command line

    class _StockDistro(BaseDistro):  # type: ignore[misc, no-redef]
        """The defaults of the stock distro."""

        def _configure(self, **kwargs: Any) -> None:
            for signal in ("TRACES", "METRICS", "LOGS"):
                config.set_default(f"OTEL_{signal}_EXPORTER", "otlp")
            config.set_default("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")


NAME = "agentops"
"""Its name as an entry point."""

_LOADER = "opentelemetry.instrumentation.auto_instrumentation._load"

_logger = logging.getLogger("agentops_otel")


class AgentOpsDistro(_StockDistro):
    """Loads an instrumentation when its library is imported; one that has no library, or whose library is there, now.

    The order, the checks and the variables are those of `opentelemetry-instrument`. But one that raises costs a line
    on the log, not all that come after it, and of two for the same library under the same name only one is loaded.
    """

    _instance = None  # the stock one has its own

    def __init__(self) -> None:
        self._line = Line()
        self._decisions: dict[tuple[str, str], Decision] | None = None

    def _configure(self, **kwargs: Any) -> None:
        super()._configure(**kwargs)  # type: ignore[no-untyped-call]
        logging.getLogger(_LOADER).addFilter(_is_news)

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Loads it now, or when its turn comes. ``kwargs`` are passed on to its ``instrument``."""
        decision = self._decision(entry_point)
        if decision.reason is Reason.TAKEN:  # said only where it matters
            self._line.wait(decision.modules, entry_point.module, functools.partial(_say_left_out, decision))
        elif decision.when is When.WAITS:
            self._line.wait(decision.modules, entry_point.module, functools.partial(_load, entry_point, kwargs))
        else:
            _load(entry_point, kwargs)

    def _decision(self, entry_point: EntryPoint) -> Decision:
        key = entry_point.name, entry_point.value
        if self._decisions is None:
            self._decisions = {(decision.name, decision.value): decision for decision in decide_installed()}
            _say_conflicts(self._decisions.values())
        return self._decisions.get(key) or decide([entry_point])[0]


def entry() -> AgentOpsDistro | None:
    """The entry point of the distro.

    Where no distro is chosen OpenTelemetry takes the first that it finds, in no particular order. So ours is None,
    which is passed over, where there is another one: installing a package must not change a set-up.
    """
    return AgentOpsDistro() if chosen_distro(config.environment()) == NAME else None


def chosen_distro(environment: Mapping[str, str]) -> str | None:
    """The name of the distro that `opentelemetry-instrument` takes in an environment; None for none."""
    named = environment.get(OTEL_PYTHON_DISTRO)
    names = [entry_point.name for entry_point in entry_points(group="opentelemetry_distro")]
    if named is not None:
        return named if named in names else None
    return next((name for name in names if name != NAME), NAME if NAME in names else None)


def decide_installed(imported: Container[str] = sys.modules) -> list[Decision]:
    """The decisions for all instrumentations that are installed, in the order in which they are loaded."""
    disabled = disabled_names(config.environment().get(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, ""))
    return decide(entry_points(group="opentelemetry_instrumentor"), disabled, imported)


def _is_news(record: logging.LogRecord) -> bool:
    """Where our configurator is chosen, OpenTelemetry warns of each other one that it did not load."""
    about = record.args if isinstance(record.args, tuple) else ()
    return not (NAME in about and str(record.msg).startswith("Configuration of %s not loaded"))


def _load(entry_point: EntryPoint, kwargs: Mapping[str, Any]) -> None:
    with Shield(f"loading the instrumentation {entry_point.name} ({entry_point.value})"):
        try:
            instrumentor = entry_point.load()
        except (ImportError, AttributeError) as error:
            _logger.warning(
                "the instrumentation %s (%s) cannot be imported: %s", entry_point.name, entry_point.value, error
            )
            return
        try:
            instrumentor().instrument(**kwargs)
        except (DependencyConflictError, ImportError) as error:
            _logger.warning("the instrumentation %s (%s) is left out: %s", entry_point.name, entry_point.value, error)


def _say_conflicts(decisions: Iterable[Decision]) -> None:
    """What OpenTelemetry itself says of an unfitting version, only where it is too old to say it."""
    if not hasattr(DependencyConflict, "_log"):
        for decision in decisions:
            if decision.reason is Reason.VERSION:
                _say_left_out(decision)


def _say_left_out(decision: Decision) -> None:
    _logger.warning(
        "the instrumentation %s of %s is left out: %s", decision.name, decision.distribution, decision.detail
    )
