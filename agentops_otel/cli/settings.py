"""The settings that count for a program, and where each comes from. Secrets are never shown."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import environment_variables
from ..config import RUNS, Config
from .files import store_directory
from .journals import journal_directory

ENVIRONMENT, RUN, DEFAULT = "environment", "agentops-otel run", "default"

HIDDEN = "***"

_OURS = "OTEL_PYTHON_AGENTOPS_"

_STANDARD = {
    "OTEL_SERVICE_NAME": "the program's name",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "none",
    "OTEL_PROPAGATORS": "tracecontext,baggage",
    "OTEL_TRACES_SAMPLER": "parentbased_always_on",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "none",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "no_content",
}
"""Standard variables that are shown although they are not set."""

_SECRET = re.compile(r"key|token|secret|passw|auth|credential|cookie|headers|signature", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"(?<=\?)[^\s,]+")
_PAIR = re.compile(r"([^=,\s]+)=([^,]*)")


@dataclass(frozen=True)
class Setting:
    """A setting: its variable, its value as it may be shown, and what has set it."""

    name: str
    value: str
    source: str


def settings_of(environment: Mapping[str, str], program: Mapping[str, str]) -> list[Setting]:
    """The settings of a program that gets the environment ``program`` where ``environment`` is the one here."""
    found = {name: (text, DEFAULT) for name, text in (_defaults() | _STANDARD).items()}
    for name, text in program.items():
        if name.startswith("OTEL_") and text:
            found[name] = text, ENVIRONMENT if environment.get(name) else RUN
    file = program.get("OTEL_CONFIG_FILE")
    if file:
        found |= {_OURS + name.upper(): (text, f"file {file}") for name, text in _options_in(file)}
    return [Setting(name, shown(name, text), source) for name, (text, source) in sorted(found.items())]


def file_problem(path: str) -> str | None:
    """Why a file of OTEL_CONFIG_FILE is of no use; None if it is."""
    try:
        return None if isinstance(_read(path), dict) else f"{path} is no mapping"
    except ModuleNotFoundError:
        return "PyYAML is not installed, which OpenTelemetry needs to read it"
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {type(error).__name__}"  # its text may have secrets


def shown(name: str, text: str) -> str:
    """A value as it may be shown: nothing that lets anybody in."""
    if _SECRET.search(name):
        return HIDDEN
    text = _USER.sub(f"{HIDDEN}@", text)
    if "://" in text:
        text = _QUERY.sub(HIDDEN, text)
    return _PAIR.sub(lambda pair: f"{pair[1]}={HIDDEN}" if _SECRET.search(pair[1]) else pair[0], text)


def _defaults() -> dict[str, str]:
    """The defaults of this package's own variables."""
    return {name: _text(getattr(Config, name.removeprefix(_OURS).lower(), "")) for name in _own_variables()} | {
        environment_variables.OTEL_PYTHON_AGENTOPS_ADOPT: ",".join(sorted(RUNS)),
        environment_variables.OTEL_PYTHON_AGENTOPS_JOURNAL: str(journal_directory()),
        environment_variables.OTEL_PYTHON_AGENTOPS_STORE: str(store_directory()),
    }


def _text(value: object) -> str:
    """A value as it would stand in a variable."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _own_variables() -> Iterator[str]:
    for name in vars(environment_variables):
        if name.startswith(_OURS) and name != environment_variables.OTEL_PYTHON_AGENTOPS_RUN_ID:
            yield name


def _options_in(path: str) -> Iterator[tuple[str, str]]:
    """Our options in a file of OTEL_CONFIG_FILE."""
    if file_problem(path) is None:
        options: Any = _read(path)
        for key in ("instrumentation/development", "python", "agentops"):
            options = options.get(key) if isinstance(options, dict) else None
        if isinstance(options, dict):
            for name, value in options.items():
                yield str(name), _text(value)


def _read(path: str) -> Any:
    yaml: Any = importlib.import_module("yaml")  # an extra of the SDK
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError from error
