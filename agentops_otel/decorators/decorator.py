"""The decorator for all kinds of operations: functions of every kind, and whole classes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar, cast

from opentelemetry.util.types import AttributeValue

from ..sessions.starting import location_of
from ..shield import encodable
from .content import Parameters
from .functions import Begin, is_wrapped, underlying, wrap
from .kinds import TOOL, Kind
from .operation import Host, Member, Operation

F = TypeVar("F", bound=Callable[..., Any])


class OperationDecorator:
    """Makes functions, or the methods of classes, operations of one kind. Its arguments are checked already."""

    def __init__(self, host: Host, kind: Kind, name: str | None, attributes: Mapping[str, AttributeValue]) -> None:
        self._host = host
        self._kind = kind
        self._name = name
        self._attributes = attributes

    def __call__(self, target: F) -> F:
        """The decorated function, named after itself where no name was given; a class is changed in place.

        Raises TypeError for what is neither.
        """
        decorated: Any
        if inspect.isclass(target):
            self._decorate_methods(target)
            decorated = target
        elif isinstance(target, (classmethod, staticmethod)):
            is_method = isinstance(target, classmethod)
            decorated = type(target)(self._decorated(target.__func__, self._name, is_method=is_method))
        elif callable(target):
            decorated = self._decorated(target, self._name)
        else:
            raise TypeError(f"{self._kind.decorator} decorates a function or a class, not {target!r}")
        return cast("F", decorated)

    def _decorate_methods(self, cls: type) -> None:
        for name, found in list(vars(cls).items()):
            function = found.__func__ if isinstance(found, (classmethod, staticmethod)) else found
            # One that has a decorator of its own is what that says; one of another module was put there by a metaclass.
            is_own = isinstance(function, FunctionType) and function.__module__ == cls.__module__
            if _is_public(name) and is_own and not is_wrapped(function):
                method = self._decorated(
                    function,
                    self._name_of_method(cls, name),
                    is_method=not isinstance(found, staticmethod),
                    member=Member(cls, is_of_object=function is found) if self._kind.is_whole_class else None,
                )
                setattr(cls, name, method if function is found else type(found)(method))

    def _name_of_method(self, cls: type, method: str) -> str:
        if self._kind.is_whole_class or method == "__call__":
            return self._name or cls.__name__
        if self._name is None and self._kind is TOOL:
            return method  # as the model calls it
        return f"{self._name or cls.__name__}.{method}"

    def _decorated(
        self,
        function: Callable[..., Any],
        name: str | None,
        *,
        is_method: bool | None = None,
        member: Member | None = None,
    ) -> Callable[..., Any]:
        kind = self._kind
        name = encodable(name or _name_of(function))
        details = kind.details if kind.name is None else {**kind.details, kind.name: name}
        operation = Operation(
            host=self._host,
            span_name=f"{kind.operation} {name}",
            attributes={**self._attributes, **location_of(underlying(function)), **details},
            details=details,
            input=(kind.input,),
            output=(kind.output,),
            parameters=Parameters(function, is_method),
            member=member,
        )
        return wrap(function, self._begin(operation, name))

    def _begin(self, operation: Operation, name: str) -> Begin:
        """What surrounds each call of a function; ``name``: of the operation, without its kind."""
        return operation.begin


def _is_public(name: str) -> bool:
    return name == "__call__" or not name.startswith("_")


def _name_of(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", None) or type(function).__name__)
