"""Zero-code: what `opentelemetry-instrument` and `agentops-otel run` load."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from ..environment_variables import OTEL_PYTHON_AGENTOPS_COMPAT
from ..runtime import is_sdk, runtime

_logger = logging.getLogger("agentops_otel")


class AgentOpsInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Puts the session span processor on the TracerProvider that auto-instrumentation has set up."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        if runtime.settings.compat:
            _serve_agentops()
        provider = kwargs.get("tracer_provider") or trace.get_tracer_provider()
        if is_sdk(provider):
            runtime.install(provider)

    def _uninstrument(self, **kwargs: Any) -> None:
        runtime.release()


def _serve_agentops() -> None:
    from ..compat.install import install  # imported here: few programs need it

    try:
        install()
    except RuntimeError as error:
        _logger.warning("%s: %s", OTEL_PYTHON_AGENTOPS_COMPAT, error)
