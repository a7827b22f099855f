"""Decorates functions where they are defined, without touching their file.

By the time a module has been imported, its own decorators have taken hold of its functions: a route of FastAPI has its
handler, a task of Celery its function, a command of click its callback. Another function in their place in the module
would reach none of these. To replace them in each framework's tables would need to know all frameworks; to exchange the
``__code__`` of the function would reach all of them, but what a debugger, a profiler and `inspect` see of it would no
longer be true, and a function that an object of another kind has swallowed cannot be found. So the decorator is put
where a user would write it: directly above the ``def``, in the syntax tree of the module, before that is compiled.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Collection, Mapping, Sequence
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from ..across.imports import find_after
from ..shield import Shield

_DECORATING = Shield("decorating functions of a module that is imported")


class Definitions:
    """Decorates the functions of modules, by their qualified names, in each import from source.

    A finder of ``sys.meta_path``, like `agentops_otel.across.imports.Imports`, and as free of locks. All other finders
    and loaders do their work as ever; those that do not compile source by the rules of `importlib.abc.SourceLoader`
    import the functions undecorated. ``python -m`` counts as an import.
    """

    def __init__(self, names: Mapping[str, Collection[str]], decorator: tuple[str, str]) -> None:
        """``decorator``: module and name of what returns it, called with the names of a module and of a function."""
        self._names = names
        self._decorator = decorator

    def install(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._names:
            return None
        spec = find_after(self, name, path, target)
        if spec is not None:
            self._prepare(spec.loader)
        return spec

    def _prepare(self, loader: Any) -> None:
        # A loader loads one module, and asks itself for the code: what others have put around it stays in use.
        if isinstance(loader, SourceLoader) and hasattr(loader, "__dict__"):
            vars(loader)["get_code"] = functools.partial(self._code, loader)

    def _code(self, loader: Any, name: str) -> CodeType | None:
        del vars(loader)["get_code"]
        code: CodeType | None = None
        with _DECORATING:
            code = self._decorated(loader, name)
        if code is None:
            code = loader.get_code(name)
        return code

    def _decorated(self, loader: Any, name: str) -> CodeType | None:
        """The code with the decorators in it; None where the source is missing or wrong, or has none of them."""
        path = loader.get_filename(name)
        try:
            tree = ast.parse(loader.get_source(name) or "", path)
        except (ImportError, OSError, SyntaxError, ValueError):
            return None  # the loader has better words for it
        decorating = _Decorating(name, self._names[name], self._decorator)
        decorating.visit(tree)
        code: CodeType | None = loader.source_to_code(tree, path) if decorating.found else None
        return code


class _Decorating(ast.NodeVisitor):
    """Adds the decorator to all definitions of these names; what is defined in functions has none."""

    def __init__(self, module: str, names: Collection[str], decorator: tuple[str, str]) -> None:
        self._module = module
        self._names = names
        self._decorator = decorator
        self._classes: list[str] = []
        self.found = False

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._classes.append(node.name)
        self.generic_visit(node)
        self._classes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        name = ".".join([*self._classes, node.name])
        if name in self._names:
            self.found = True
            node.decorator_list.append(self._call(name, node))

    visit_AsyncFunctionDef = visit_FunctionDef

    def _call(self, name: str, node: ast.stmt) -> ast.expr:
        """An expression that needs no name in the module's namespace."""
        module, decorator = self._decorator
        text = f"__import__({module!r}, fromlist=[{decorator!r}]).{decorator}({self._module!r}, {name!r})"
        call = ast.parse(text, mode="eval").body
        for part in ast.walk(call):
            ast.copy_location(part, node)
        return call
