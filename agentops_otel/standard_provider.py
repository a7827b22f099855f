"""A standard OpenTelemetry set-up from the ``OTEL_*`` variables, for programs that have none."""

from __future__ import annotations

from typing import Any

from . import config
from .shield import Shield

_BUILDING = Shield("setting OpenTelemetry up from the OTEL_* variables")
_ENTRY_POINTS = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}


def build(service_name: str | None, endpoint: str | None = None) -> None:
    """Sets the global providers up as a distro would, with OTLP exporters where ``OTEL_*_EXPORTER`` names none.

    ``endpoint``: where they send, with or without ``/v1/traces``; else where ``OTEL_EXPORTER_OTLP_*`` says.
    """
    # Imported here: only programs without a provider of their own pay for it.
    from opentelemetry.sdk._configuration import _OTelSDKConfigurator

    with _BUILDING:
        # The one class of the SDK that reads all of these variables; it is there for distros to build on.
        configurator: Any = _OTelSDKConfigurator
        configurator().configure(**({} if config.is_set("OTEL_CONFIG_FILE") else _defaults(service_name, endpoint)))


def _defaults(service_name: str | None, endpoint: str | None) -> dict[str, Any]:
    otlp = _ENTRY_POINTS.get(config.otlp_protocol(endpoint), "otlp_proto_http")
    defaults: dict[str, Any] = {
        f"{kind}_exporter_names": [otlp]
        for kind, variable in (
            ("trace", "OTEL_TRACES_EXPORTER"),
            ("metric", "OTEL_METRICS_EXPORTER"),
            ("log", "OTEL_LOGS_EXPORTER"),
        )
        if not config.is_set(variable)
    }
    if service_name is not None:
        defaults["resource_attributes"] = {"service.name": service_name}
    if endpoint is not None:
        defaults["exporter_args_map"] = _sending_to(endpoint, otlp)
    return defaults


def _sending_to(endpoint: str, otlp: str) -> dict[type, dict[str, Any]]:
    """Arguments of the exporters, by their classes."""
    from importlib.metadata import entry_points  # imported here: every program imports this module

    base = endpoint.rstrip("/").removesuffix("/v1/traces")
    arguments: dict[type, dict[str, Any]] = {}
    for signal in ("traces", "metrics", "logs"):
        for exporter in entry_points(group=f"opentelemetry_{signal}_exporter", name=otlp):
            arguments[exporter.load()] = {"endpoint": base if "grpc" in otlp else f"{base}/v1/{signal}"}
    return arguments
