"""The settings: one frozen value, and the only place that reads ``os.environ``."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from . import environment_variables as env
from . import semconv

_logger = logging.getLogger("agentops_otel")

CARRIER = ("TRACEPARENT", "TRACESTATE", "BAGGAGE")
"""Variables by which a program is told what it is a part of.

Follows OpenTelemetry's "Environment Variables as Context Propagation Carriers".
"""


RUNS = frozenset({semconv.AGENT_OPERATION, semconv.WORKFLOW_OPERATION})
"""Operations of the GenAI conventions that are a run of an agent."""

STANDARD, AGENTOPS = "standard", "agentops"
"""How spans can be named."""

_SWITCHES = ("", "on", "off", "true", "false")


@dataclass(frozen=True)
class Config:
    """What can be set, with the defaults."""

    signals: bool = True
    """End and flush sessions on SIGTERM and SIGHUP where their disposition is the default."""

    exit_timeout: float = 5.0
    """Seconds that the end of the process may wait for exports."""

    propagation: bool = True
    """Let sessions go along into threads, pools, processes and requests by themselves."""

    journal: bool = True
    """Keep spans of sessions on disk until they are delivered."""

    journal_directory: str | None = None
    """Where; None: in the user's state directory."""

    adopted: frozenset[str] = RUNS
    """Operations whose outermost spans become sessions; empty: none does."""

    content_on_spans: bool = False
    """Write arguments and results of decorated functions as attributes of their spans."""

    content_on_events: bool = False
    """Write them as log events."""

    compat: bool = False
    """Serve ``import agentops`` to programs that were written for the AgentOps SDK."""

    span_names: str = STANDARD
    """What the spans of such programs are called: by the conventions, or as that SDK called them."""

    sessions: tuple[str, ...] = ()
    """Functions each of whose calls is a session: ``package.module:Class.method``."""

    openai_export: bool = False
    """Let the OpenAI Agents SDK send its traces to OpenAI as well."""

    redact: Callable[[str, object], object] | None = None
    """What the user wants to be written in place of an argument, by its name, or of a ``"return"`` value."""

    @classmethod
    def from_environment(cls) -> Config:
        """Reads ``OTEL_PYTHON_AGENTOPS_*``; a value that makes no sense costs one warning and is the default."""
        content = _content()
        journal = os.environ.get(env.OTEL_PYTHON_AGENTOPS_JOURNAL, "").strip()
        return cls(
            signals=_boolean(env.OTEL_PYTHON_AGENTOPS_SIGNALS, cls.signals),
            exit_timeout=_seconds(env.OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT, cls.exit_timeout),
            propagation=_boolean(env.OTEL_PYTHON_AGENTOPS_PROPAGATION, cls.propagation),
            journal=journal.lower() not in ("off", "false"),
            journal_directory=None if journal.lower() in _SWITCHES else absolute(journal),
            adopted=_adopted(),
            compat=_is_on(env.OTEL_PYTHON_AGENTOPS_COMPAT),
            span_names=_span_names(),
            content_on_spans=content in ("span_only", "span_and_event"),
            content_on_events=content in ("event_only", "span_and_event"),
            sessions=_words(env.OTEL_PYTHON_AGENTOPS_SESSIONS),
            openai_export=_boolean(env.OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT, cls.openai_export),
        )


def _adopted() -> frozenset[str]:
    text = os.environ.get(env.OTEL_PYTHON_AGENTOPS_ADOPT, "").strip()
    if text.lower() in ("off", "false"):
        return frozenset()
    if text.lower() in _SWITCHES:
        return RUNS
    return RUNS | {word.strip() for word in text.split(",") if word.strip()}


def _span_names() -> str:
    variable = env.OTEL_PYTHON_AGENTOPS_SPAN_NAMES
    text = os.environ.get(variable, "").strip().lower()
    if text not in ("", STANDARD, AGENTOPS):
        _logger.warning("%s must be %s or %s, not %r; using %s", variable, STANDARD, AGENTOPS, text, STANDARD)
    return AGENTOPS if text == AGENTOPS else STANDARD


def of_agentops(name: str) -> str | None:
    """What ``AGENTOPS_{name}`` says, a variable of the AgentOps SDK; None where it says nothing."""
    return os.environ.get(f"AGENTOPS_{name}", "").strip() or None


def absolute(directory: str) -> str:
    """A directory by its full path, which stays the same when the program goes to another one."""
    return os.path.abspath(os.path.expanduser(directory))


def run_id() -> str:
    """The `agentops-otel run` that this process belongs to, or empty."""
    return os.environ.get(env.OTEL_PYTHON_AGENTOPS_RUN_ID, "")


def exception_signal() -> str:
    """Where exceptions are recorded: ``""`` (span events), ``"logs"`` or ``"logs/dup"`` (both).

    Follows ``OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`` of the exception conventions.
    """
    words = {word.strip() for word in os.environ.get("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "").split(",")}
    return "logs/dup" if "logs/dup" in words else "logs" if "logs" in words else ""


def otlp_protocol(endpoint: str | None = None) -> str:
    """The OTLP protocol of this process: what ``OTEL_EXPORTER_OTLP_PROTOCOL`` names, or the one for its endpoint.

    ``endpoint``: one that the program names itself.
    """
    named = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if named:
        return named
    variables = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return otlp_protocol_for(endpoint or next(filter(None, map(os.environ.get, variables)), ""))


def otlp_protocol_for(endpoint: str) -> str:
    """The OTLP protocol to use where none is named.

    The specification's default is ``http/protobuf``. An endpoint on port 4317, which the specification reserves for
    gRPC, is taken at its word.
    """
    return "grpc" if endpoint.rstrip("/").endswith(":4317") else "http/protobuf"


def carrier() -> dict[str, str]:
    """The headers, by their names in lower case, that the environment has for this program; they are ASCII."""
    return {name.lower(): text for name in CARRIER if (text := os.environ.get(name, "")).isascii() and text}


def is_disabled(instrumentation: str) -> bool:
    """Whether the user wants a library not to be instrumented, by ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS``.

    "pydantic-ai" is as good as "pydantic_ai", and "*" is all.
    """
    words = [word.replace("-", "_") for word in _words("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")]
    return "*" in words or instrumentation.replace("-", "_") in words


def environment() -> dict[str, str]:
    """What a program inherits that this one starts."""
    return dict(os.environ)


def is_set(variable: str) -> bool:
    """Whether an environment variable has a value; an empty one counts as unset, as the specification says."""
    return bool(os.environ.get(variable, "").strip())


def set_default(variable: str, value: str) -> None:
    """Sets an environment variable that is not there, for this process and what it starts, as a distro does."""
    os.environ.setdefault(variable, value)


def _content() -> str:
    """Where the user wants message content (default: nowhere), by the variable of OpenTelemetry's GenAI packages."""
    variable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    text = os.environ.get(variable, "").strip().lower()
    if text == "true":  # what older releases of those packages took, for events
        return "event_only"
    if text not in ("", "false", "no_content", "span_only", "event_only", "span_and_event"):
        _logger.warning("%s is %r, which is not known; no content is written", variable, text)
    return text


def _words(variable: str) -> tuple[str, ...]:
    """What stands between commas, once each."""
    words = (word.strip() for word in os.environ.get(variable, "").split(","))
    return tuple(dict.fromkeys(filter(None, words)))


def _boolean(variable: str, default: bool) -> bool:
    text = os.environ.get(variable, "").strip().lower()
    if text in ("", "true", "false"):
        return default if not text else text == "true"
    _logger.warning("%s must be true or false, not %r; using %s", variable, text, str(default).lower())
    return default


def _is_on(variable: str) -> bool:
    """Whether something is switched on that is off by default; by 1 as well as by true."""
    text = os.environ.get(variable, "").strip()
    return text == "1" if text in ("0", "1") else _boolean(variable, False)


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 <= value <= threading.TIMEOUT_MAX:
        return value
    _logger.warning("%s must be a number of seconds, not %r; using %s", variable, text, default)
    return default
