"""OpenTelemetry contexts as ways across need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from opentelemetry import context

from ..sessions.context import detach_quietly

R = TypeVar("R")

NOWHERE: Final = context.Context()
"""In no session: for what may outlive the one that is current, such as the workers of a pool."""


def call_in(around: context.Context, function: Callable[..., R], /, *args: object, **kwargs: object) -> R:
    """Calls a function in a context; context variables of others stay as they are."""
    token = context.attach(around)
    try:
        return function(*args, **kwargs)
    finally:
        detach_quietly(token)


def call_apart(function: Callable[..., R], /, *args: object, **kwargs: object) -> R:
    """Calls a function; what it leaves current, such as a session that others are to end, is not current after it."""
    return call_in(context.get_current(), function, *args, **kwargs)
