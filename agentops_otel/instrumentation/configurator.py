"""The configurator `agentops`: the standard set-up of the SDK, with sessions attached before the exporters.

Chosen with ``OTEL_PYTHON_CONFIGURATOR=agentops``. Nothing depends on it. What it adds is that sessions are the first on
each provider: what they end when it is shut down still goes through the exporters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk._configuration import _OTelSDKConfigurator

from ..runtime import runtime
from ..shield import Shield

_ATTACHING = Shield("attaching to the TracerProvider that is being configured")


# The one class of the SDK that reads all of its variables and files; it is there for distros to build on.
class AgentOpsConfigurator(_OTelSDKConfigurator):
    """Sets the SDK up from ``OTEL_*`` or ``OTEL_CONFIG_FILE``, as the stock configurator does."""

    def _configure(self, **kwargs: Any) -> None:
        with _seen_from_the_start():
            super()._configure(**kwargs)  # type: ignore[no-untyped-call]


@contextmanager
def _seen_from_the_start() -> Iterator[None]:
    """Attaches to each TracerProvider that is made in the block, before it has any exporter."""
    original = sdk.TracerProvider.__init__

    def __init__(self: sdk.TracerProvider, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        with _ATTACHING:
            runtime.install(self)

    # Not by an argument of the SDK: the oldest releases have none, and none of them has one for a file.
    sdk.TracerProvider.__init__ = __init__  # type: ignore[method-assign]
    try:
        yield
    finally:
        sdk.TracerProvider.__init__ = original  # type: ignore[method-assign]
