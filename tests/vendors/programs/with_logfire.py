"""Logfire; it exports to the OTLP endpoint of the environment, too."""

import os
from typing import Any

import logfire
from _runs import runs
from opentelemetry import trace


def keep_sessions(match: logfire.ScrubMatch) -> Any:
    """Logfire takes whatever has to do with a session for a secret, unless it is told better."""
    return match.value if match.pattern_match.group(0) == "session" else None


def set_up() -> Any:
    advanced = logfire.AdvancedOptions(base_url=os.environ["VENDOR_ENDPOINT"])
    scrubbing = logfire.ScrubbingOptions(callback=keep_sessions)
    for _ in range(2):  # as programs do that configure it again when they have read their settings
        logfire.configure(token="token", console=False, advanced=advanced, scrubbing=scrubbing)
    return trace.get_tracer_provider()


def own_span() -> None:
    with logfire.span("vendor's"):
        pass


runs(set_up, own_span)
