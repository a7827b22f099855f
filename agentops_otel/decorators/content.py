"""What is captured of a call where the user wants it: arguments by their names and the result, redacted, as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..config import Config
from ..sessions.exceptions import error_type
from ..shield import absorb
from .encoding import Items, encode

_RETURN = "return"
"""The name under which results are redacted: annotations call them so."""


class Parameters:
    """What a function calls its arguments; immutable, made once for a function.

    Args:
        function: the function.
        is_method: whether its first argument is its object or class, and so no content. None: it is where it is
            called ``self`` or ``cls``.
    """

    def __init__(self, function: Callable[..., Any], is_method: bool | None = None) -> None:
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # many built-in functions have none
            self._signature = None
        parameters = [] if self._signature is None else list(self._signature.parameters.values())
        first = parameters[0].name if parameters else None
        self._is_method = first in ("self", "cls") if is_method is None else is_method
        self._kinds = {parameter.name: parameter.kind for parameter in parameters}

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, those of ``**kwargs`` by their own; without the object of a method.

        Where the names cannot be known, the positional ones are ``args``.
        """
        try:
            bound = None if self._signature is None else self._signature.bind(*args, **kwargs).arguments
        except TypeError:  # the function is about to raise the same
            bound = None
        if bound is None:
            return {"args": args[1:] if self._is_method else args, **kwargs}
        named: dict[str, Any] = {}
        for number, (name, value) in enumerate(bound.items()):
            kind = self._kinds[name]
            if number == 0 and self._is_method:
                if kind is inspect.Parameter.VAR_POSITIONAL:
                    named[name] = value[1:]
            elif kind is inspect.Parameter.VAR_KEYWORD:
                # One of them may be called as a positional-only parameter is.
                named |= {f"{name}.{key}" if key in named else key: item for key, item in value.items()}
            else:
                named[name] = value
        return named


class Content:
    """The content of one call, encoded as soon as it is known: it may change afterwards.

    Args:
        settings: whether the user wants it on spans and on events, and how it is redacted.
        input_names: the attributes of the arguments.
        output_names: the attributes of the result.
    """

    __slots__ = ("_input_names", "_items", "_output_names", "_redact", "_result", "input", "on_event", "on_span")

    def __init__(self, settings: Config, input_names: Sequence[str], output_names: Sequence[str]) -> None:
        self.on_span = settings.content_on_spans
        self.on_event = settings.content_on_events
        self._redact = settings.redact
        self._input_names = input_names
        self._output_names = output_names
        self._result: str | None = None
        self._items: Items | None = None
        self.input: dict[str, str] = {}
        """The attributes of the arguments, each the same JSON object."""

    @property
    def output(self) -> dict[str, str]:
        """The attributes of what was returned, or of the array of what was yielded; empty where nothing was."""
        result = self._result if self._items is None else self._items.encode()
        return {} if result is None else dict.fromkeys(self._output_names, result)

    def called(self, parameters: Parameters, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        named = parameters.named(args, kwargs)
        encoded = encode({name: self._redacted(name, named[name]) for name in named})
        self.input = dict.fromkeys(self._input_names, encoded)

    def returned(self, value: object) -> None:
        self._result = encode(self._redacted(_RETURN, value))

    def yielded(self, item: object) -> None:
        if self._items is None:
            self._items = Items()
        if self._items.has_room:
            self._items.keep(self._redacted(_RETURN, item))
        else:
            self._items.skip()

    def _redacted(self, name: str, value: object) -> object:
        if self._redact is None:
            return value
        try:
            return self._redact(name, value)
        except Exception as error:  # noqa: BLE001
            absorb("redacting content, which is not written therefore", _without_text(error))
        return "<not redacted: the hook failed>"


def _without_text(error: Exception) -> Exception:
    """What the log gets in place of an exception whose text may be the very content that nobody is to see."""
    return RuntimeError(f"the hook raised {error_type(error)}").with_traceback(error.__traceback__)
