"""Checks of what users pass in: a TypeError or ValueError that names the argument, at the call."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from opentelemetry.util.types import AttributeValue

from .. import config
from ..shield import encodable
from .state import EndReason, EndState

CARRIER_FIELDS = frozenset({"traceparent", "tracestate", "baggage"})
"""Headers of W3C Trace Context and Baggage."""

MAX_ID_LENGTH = 256
"""Longest id, in characters, that is accepted."""

E = TypeVar("E", EndState, EndReason)


def text(argument: str, value: object) -> str:
    """A string that is not empty; what cannot be exported of it is replaced."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, not {_kind(value)}")
    if not value:
        raise ValueError(f"{argument} must not be empty")
    return encodable(value)


def identifier(argument: str, value: object) -> str:
    """An id: printable characters, at most `MAX_ID_LENGTH` of them, none of those at its ends a space."""
    text(argument, value)
    assert isinstance(value, str)
    if len(value) > MAX_ID_LENGTH:
        raise ValueError(f"{argument} must not be longer than {MAX_ID_LENGTH} characters, and has {len(value)}")
    if not value.isprintable():
        raise ValueError(f"{argument} must not have control characters: {value!r}")
    if value != value.strip():  # in the baggage of a request they would get lost
        raise ValueError(f"{argument} must not begin or end with a space: {value!r}")
    return value


def tags(argument: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{argument} must be a sequence of strings, not {_kind(value)}")
    return tuple(text(f"each of {argument}", tag) for tag in value)


def attributes(argument: str, value: object) -> dict[str, AttributeValue]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument} must be a mapping, not {_kind(value)}")
    return {
        text(f"each key of {argument}", key): attribute(f"{argument}[{key!r}]", item) for key, item in value.items()
    }


def attribute(argument: str, value: object) -> AttributeValue:
    """A value that OpenTelemetry takes: a string, bool, int or float, or a sequence of one of these."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        kinds = {type(item) for item in value}
        if len(kinds) <= 1 and all(isinstance(item, (str, bool, int, float)) for item in value):
            return tuple(encodable(item) if isinstance(item, str) else item for item in value)
        raise TypeError(f"{argument} must have strings, bools, ints or floats, all of one type")
    raise TypeError(f"{argument} must be a string, bool, int, float or a sequence of one of these, not {_kind(value)}")


def seconds(argument: str, value: object, *, zero: bool = False) -> float:
    """A number of seconds that a thread can wait; zero only where that makes sense."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{argument} must be a number of seconds, not {_kind(value)}")
    # Compared before it is converted: an int may be too large for a float.
    if not 0 <= value <= threading.TIMEOUT_MAX or (value == 0 and not zero):
        sign = "non-negative" if zero else "positive"
        raise ValueError(f"{argument} must be a {sign} number of seconds below {threading.TIMEOUT_MAX:.0f}")
    return float(value)


def number(argument: str, value: object) -> float:
    """A finite number; a bool counts as 0 or 1."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"{argument} must be a number, not {_kind(value)}")
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    if not math.isfinite(converted):
        raise ValueError(f"{argument} must be a finite number")
    return converted


def choice(argument: str, value: object, kind: type[E]) -> E:
    """A member of an enumeration, or its value as a string."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string or a member of {kind.__name__}, not {_kind(value)}")
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"{argument} must be one of {known}, not {value!r}") from None


def boolean(argument: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{argument} must be True or False, not {_kind(value)}")
    return value


def exception(argument: str, value: object) -> BaseException:
    if not isinstance(value, BaseException):
        raise TypeError(f"{argument} must be an exception, not {_kind(value)}")
    return value


def function(argument: str, value: Any) -> Any:
    if not callable(value):
        raise TypeError(f"{argument} must be a function, not {_kind(value)}")
    return value


def instance_with(argument: str, value: Any, *methods: str) -> Any:
    """An object that has these methods."""
    if isinstance(value, type):
        raise TypeError(f"{argument} must be an object, not the class {value.__name__}")
    for method in methods:
        if not callable(getattr(value, method, None)):
            raise TypeError(f"{argument} must have a method {method}(), and {_kind(value)} has none")
    return value


def directory(argument: str, value: Any) -> str:
    """The full path of a directory that need not be there yet."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument} must be a path, True or False, not {_kind(value)}")
    path = os.fspath(value)
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError(f"{argument} must be the path of a directory, not {path!r}")
    return config.absolute(path)


def carrier(argument: str, value: Any) -> Mapping[str, str]:
    """Headers by name; not every mapping of headers is a `Mapping`."""
    if isinstance(value, type) or not callable(getattr(value, "items", None)):
        raise TypeError(f"{argument} must be a mapping of headers, not {_kind(value)}")
    headers: dict[str, str] = {}
    for name, item in value.items():
        if isinstance(name, str) and isinstance(item, str) and (field := name.lower()) in CARRIER_FIELDS:
            # Baggage may come in several headers; two of the others make no sense, and are no longer valid then.
            headers[field] = f"{headers[field]},{item}" if field in headers else item
    return headers


def _kind(value: object) -> str:
    return type(value).__name__
