"""The user's own functions as sessions: those that ``OTEL_PYTHON_AGENTOPS_SESSIONS`` names."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterable
from types import BuiltinFunctionType, ModuleType
from typing import Any, NamedTuple

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from ..across.imports import Imports
from ..decorators.functions import underlying, wrap
from ..decorators.session import SessionCall
from ..environment_variables import OTEL_PYTHON_AGENTOPS_SESSIONS
from ..runtime import runtime
from ..sessions.starting import Plan, location_of
from ..shield import Shield, encodable
from .definitions import Definitions

_logger = logging.getLogger("agentops_otel")
_REPLACING = Shield("making a function a session")

_MAIN = "__main__"
_MISSING: Any = object()

Function = Callable[..., Any]


class Name(NamedTuple):
    """A function by its module and its qualified name."""

    module: str
    qualname: str

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """``package.module:Class.method``; None for what is not like that."""
        module, _, qualname = (part.strip() for part in text.partition(":"))
        is_name = all(word.isidentifier() for word in (*module.split("."), *qualname.split(".")))
        return cls(module, qualname) if is_name else None

    def __str__(self) -> str:
        return f"{self.module}:{self.qualname}"


class _Place(NamedTuple):
    """An attribute of a module or class that we have changed."""

    owner: Any
    name: str
    original: Any
    ours: Any


class Functions:
    """Makes each call of some functions a session: where they are defined, or else in their module.

    A function that is defined by a ``def`` of its module is decorated there (`definitions`). What is not, because it is
    inherited, assigned, or of a module that was imported before or has no source, is replaced when the module has been
    imported: then those keep the original who have taken hold of it already.

    A decorated function does nothing but call the original while this is not installed, or instrumentation is
    suppressed. Otherwise a call is a session as that of a function under ``@session`` is one: a trace of its own, also
    inside of another session or a request.
    """

    def __init__(self) -> None:
        self._names: frozenset[Name] = frozenset()
        """Those that are sessions now."""
        self._wrappers: dict[Name, Function] = {}
        """The latest of each. They stay for good: others have taken hold of them."""
        self._just_defined: set[Name] = set()
        """Decorated in the import of a module that goes on."""
        self._defined: weakref.WeakKeyDictionary[ModuleType, set[Name]] = weakref.WeakKeyDictionary()
        """Decorated where they are defined."""
        self._places: list[_Place] = []
        self._finders: tuple[Definitions, Imports] | None = None
        self._said: set[str] = set()

    def install(self, names: Iterable[str]) -> None:
        """Begins, unless it has. Wrong names cost one warning each: when it is known that they are wrong."""
        if self._finders is not None:
            return
        named = [(text, Name.parse(text)) for text in names]
        for text, name in named:
            if name is None:
                self._say(text, "is not the name of a function; write it as package.module:Class.method")
        self._names = frozenset(name for _, name in named if name is not None)
        modules: dict[str, list[str]] = {}
        for module, qualname in sorted(self._names):
            modules.setdefault(module, []).append(qualname)
            if module != _MAIN and _is_program(module):
                self._say_unreachable(Name(module, qualname))
        decorator = (__name__, at_definition.__name__)
        self._finders = (
            Definitions(modules, decorator),
            Imports({module: functools.partial(self._imported, module) for module in modules}),
        )
        for finder in self._finders:
            finder.install()

    def uninstall(self) -> None:
        """Gives the original functions back, where nobody else has replaced ours since."""
        finders, self._finders = self._finders or (), None
        for finder in finders:
            finder.uninstall()
        self._names = frozenset()
        places, self._places = self._places, []
        for owner, name, original, ours in places:
            if vars(owner).get(name) is not ours:
                continue
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    def decorate(self, name: Name, function: Function) -> Function:
        """The function, each call of which is a session as long as it is named."""
        plan = Plan(name=encodable(name.qualname), location=location_of(underlying(function)))

        def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> SessionCall | None:
            if name in self._names and is_instrumentation_enabled():
                return SessionCall(runtime.start_block, plan)
            return None

        self._wrappers[name] = wrapper = wrap(function, begin)
        return wrapper

    def decorate_definition(self, name: Name, function: Function) -> Function:
        """The same, while the module of the function is being imported: the function itself where that fails."""
        with _REPLACING:
            wrapper = self.decorate(name, function)
            self._just_defined.add(name)
            return wrapper
        return function

    def _imported(self, module_name: str, module: ModuleType) -> None:
        defined = self._defined.setdefault(module, set())
        for name in sorted(self._names):
            if name.module == module_name:
                if name in self._just_defined:
                    self._just_defined.remove(name)
                    defined.add(name)
                with _REPLACING:
                    self._replace(module, name)

    def _replace(self, module: ModuleType, name: Name) -> None:
        *path, attribute = name.qualname.split(".")
        owner: Any = module
        for part in path:
            owner = getattr(owner, part, _MISSING)
        find = inspect.getattr_static if inspect.isclass(owner) else getattr
        found = find(owner, attribute, _MISSING)
        function = found.__func__ if isinstance(found, (classmethod, staticmethod)) else found
        wrapper = self._wrappers.get(name)
        original = getattr(wrapper, "__wrapped__", None)
        if found is _MISSING:
            self._say_missing(name)
        elif wrapper is not None and function is wrapper:
            self._places.append(_Place(owner, attribute, _like(found, original), found))
        elif wrapper is not None and function is original:
            self._put(owner, attribute, found, wrapper)
        elif name in self._defined[module] or any(function is other for other in self._wrappers.values()):
            pass  # what its own decorators have made of our wrapper, or a session by another name
        elif not _is_function(function):
            self._say(str(name), f"is not a function but {_kind_of(function)}")
        else:
            try:
                self._put(owner, attribute, found, self.decorate(name, function))
            except (AttributeError, TypeError) as error:  # a class that was not written in Python, or forbids it
                self._say(str(name), f"cannot be replaced: {error}")

    def _put(self, owner: Any, name: str, found: Any, wrapper: Function) -> None:
        ours = _like(found, wrapper)
        original = found if name in vars(owner) else _MISSING
        setattr(owner, name, ours)
        self._places.append(_Place(owner, name, original, ours))

    def _say_missing(self, name: Name) -> None:
        if name.module == _MAIN:
            self._say_unreachable(name)
        else:
            self._say(str(name), f"the module {name.module} has no {name.qualname}")

    def _say_unreachable(self, name: Name) -> None:
        module = "my_app" if name.module == _MAIN else name.module
        self._say(
            str(name),
            "is in the file that is run as the program, which is not imported; run it as a module, "
            f"python -m {module}, and name it {module}:{name.qualname}",
        )

    def _say(self, name: str, what: str) -> None:
        if name not in self._said:
            self._said.add(name)
            _logger.warning("%s: %s %s", OTEL_PYTHON_AGENTOPS_SESSIONS, name, what)


functions = Functions()
"""One for the process: what is decorated stays decorated."""


def install() -> None:
    """Makes the functions that the settings name sessions, now or when their modules are imported. Idempotent."""
    functions.install(runtime.settings.sessions)


def uninstall() -> None:
    """Gives the original functions back; what other decorators have taken hold of does nothing but call them."""
    functions.uninstall()


def at_definition(module: str, qualname: str) -> Callable[[Function], Function]:
    """The decorator that `definitions` puts above a ``def``."""
    return functools.partial(functions.decorate_definition, Name(module, qualname))


def _is_program(module: str) -> bool:
    """Whether this module's file is what ``python file.py`` runs."""
    [file, *_] = getattr(sys, "argv", None) or [""]
    program, extension = os.path.splitext(os.path.abspath(file))
    return extension == ".py" and f"{os.sep}{program}".endswith(os.sep + module.replace(".", os.sep))


def _is_function(function: object) -> bool:
    # Others that can be called are more than that: a model, a task, a cache. A function in their place would not be.
    return isinstance(function, (BuiltinFunctionType, functools.partial)) or hasattr(function, "__code__")


def _kind_of(value: object) -> str:
    return "a class" if inspect.isclass(value) else f"an object of the class {type(value).__name__}"


def _like(found: Any, function: Any) -> Any:
    """The function as a class method or static method, if that was one."""
    return type(found)(function) if isinstance(found, (classmethod, staticmethod)) else function
