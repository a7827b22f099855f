"""The environment that sets a program up without touching its code."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from ..config import otlp_protocol_for

LOCAL_EXPORTER = "agentops_local"
"""Name of the entry point of `store.LocalSpanExporter`."""

DISTRO = "agentops"
"""Name of the entry point of `instrumentation.distro`, which is not imported here: it loads what the supervisor does
not need."""

OTEL_PYTHON_DISTRO = "OTEL_PYTHON_DISTRO"


def instrument(environment: MutableMapping[str, str], *, working_directory: bool) -> None:
    """Makes Python start OpenTelemetry's auto-instrumentation, as `opentelemetry-instrument` does.

    Args:
        environment: The variables, changed in place.
        working_directory: Whether modules are found in the working directory too.
    """
    ours = _auto_instrumentation()
    paths = [path for path in _python_path(environment) if path != ours]
    if working_directory and not environment.get("PYTHONSAFEPATH") and (here := os.getcwd()) not in paths:
        paths.insert(0, here)
    environment["PYTHONPATH"] = os.pathsep.join([ours, *paths])


def without_instrumentation(environment: Mapping[str, str]) -> dict[str, str] | None:
    """The environment without what `instrument` added to it; None where it is not there."""
    ours = _auto_instrumentation()
    paths = _python_path(environment)
    if ours not in paths:
        return None
    rest = [path for path in paths if path != ours]
    plain = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    return plain | {"PYTHONPATH": os.pathsep.join(rest)} if rest else plain


def choose_distro(environment: MutableMapping[str, str]) -> None:
    """Lets instrumentations wait for what they instrument, unless another distro is chosen.

    What the program starts inherits the choice; where it runs without this package the name is unknown there, and
    OpenTelemetry goes on without a distro. That is all the same, as the exporters are chosen here.
    """
    _default(environment, OTEL_PYTHON_DISTRO, DISTRO)


def choose_exporters(environment: MutableMapping[str, str]) -> bool:
    """Sends each signal to its OTLP endpoint; without one stores traces and drops the rest.

    What is chosen already is left as it is. Returns whether traces are stored locally.
    """
    if environment.get("OTEL_CONFIG_FILE"):
        return False
    endpoint = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    for signal, otherwise in (("TRACES", LOCAL_EXPORTER), ("LOGS", "none"), ("METRICS", "none")):
        target = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or endpoint
        _default(environment, f"OTEL_{signal}_EXPORTER", "otlp" if target else otherwise)
        # The distro's default is grpc whatever the endpoint, which fails on the port for HTTP. Set for each signal,
        # because the distro writes the general variable into the environment of everything the program starts.
        if "otlp" in _exporters(environment, signal) and not environment.get("OTEL_EXPORTER_OTLP_PROTOCOL"):
            _default(environment, f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", otlp_protocol_for(target or ""))
    return LOCAL_EXPORTER in _exporters(environment, "TRACES")


def name_service(environment: MutableMapping[str, str], chosen: str | None, program: str | None) -> None:
    """Names the service as it was asked for, else after the program where it has no name yet."""
    if chosen:
        environment["OTEL_SERVICE_NAME"] = chosen
    elif program and "service.name=" not in environment.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        _default(environment, "OTEL_SERVICE_NAME", program)


def _exporters(environment: Mapping[str, str], signal: str) -> list[str]:
    return [name.strip() for name in environment[f"OTEL_{signal}_EXPORTER"].split(",")]


def _default(environment: MutableMapping[str, str], name: str, value: str) -> None:
    """Sets a variable that is not set; an empty one counts as that, as OpenTelemetry wants it."""
    if not environment.get(name):
        environment[name] = value


def _python_path(environment: Mapping[str, str]) -> list[str]:
    path = environment.get("PYTHONPATH")
    return path.split(os.pathsep) if path else []


def _auto_instrumentation() -> str:
    """The directory whose sitecustomize module starts auto-instrumentation."""
    # Found, not imported: importing it loads what only the program needs.
    spec = importlib.util.find_spec("opentelemetry.instrumentation.auto_instrumentation")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("opentelemetry-instrumentation is not installed")
    return str(Path(spec.origin).parent.absolute())
