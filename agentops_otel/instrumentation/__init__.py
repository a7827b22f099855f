"""Zero-code: what `opentelemetry-instrument` and `agentops-otel run` load."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from ..runtime import is_sdk, runtime


class AgentOpsInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Puts the session span processor on the TracerProvider that auto-instrumentation has set up."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        provider = kwargs.get("tracer_provider") or trace.get_tracer_provider()
        if is_sdk(provider):
            runtime.install(provider)

    def _uninstrument(self, **kwargs: Any) -> None:
        runtime.release()
