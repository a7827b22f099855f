"""What a module uses of the AgentOps SDK, found in its syntax tree.

Names are followed as far as a reader sees it at a glance: imports with their aliases, in the scope where they stand,
and variables that hold what the SDK has returned. A module can be nested deeper than Python recurses, so nothing here
recurses.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from ...compat.install import PACKAGE
from ...compat.settings import WITHOUT_EFFECT
from .counterparts import (
    COMPAT,
    MAKES,
    TAKE_HOSTED,
    Counterpart,
    Fate,
    Found,
    counterpart,
    is_known_of_object,
)

Function = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class _Value(NamedTuple):
    """What a name stands for."""

    name: str
    """Below the package; empty for itself."""
    is_object: bool = False
    """Whether it is an object of this class, and not the class."""
    is_of_package: bool = False
    """Whether the program gets at it as an attribute of the package."""


class _Scope:
    """The names of a module, class or function."""

    def __init__(self, node: ast.AST, parent: _Scope | None) -> None:
        self._parent = parent
        self._is_class = isinstance(node, ast.ClassDef)
        self._names: dict[str, _Value | None] = {}
        self._module: _Scope = self if parent is None else parent._module
        self._assigned: list[tuple[str, ast.expr]] = []
        own = list(_own_nodes(node))
        self._globals = {name for inner in own if isinstance(inner, ast.Global) for name in inner.names}
        for inner in own:
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                for name, value in _imported(inner):
                    self._bind(name, value)
            elif isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self._bind(inner.name, None)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self._bind(inner.id, None)
            elif isinstance(inner, ast.arg):
                self._bind(inner.arg, None)
            self._assigned += _assigned(inner)

    def bind_objects(self) -> None:
        """Finds the variables that hold what the SDK has returned, when the names of all scopes are known."""
        for name, value in self._assigned:
            called = self.resolve(value.func) if isinstance(value, ast.Call) else None
            kind = None if called is None else MAKES.get(called.name.rpartition(".")[2])
            if kind is not None:
                self._bind(name, _Value(kind, is_object=True))

    def resolve(self, node: ast.AST) -> _Value | None:
        """What an expression of names and dots stands for; None for all that is not of the SDK."""
        first, _, attributes = (written(node) or "").partition(".")
        value = self._find(first)
        if value is None or (value.is_object and not attributes):
            return None
        name = ".".join(part for part in (value.name, attributes) if part)
        if value.is_object and not is_known_of_object(name):
            return None
        return value._replace(name=name)

    def _bind(self, name: str, value: _Value | None) -> None:
        # What is of the SDK wins: the other one is what it is where the SDK is not installed, or not yet started.
        names = self._module._names if name in self._globals else self._names
        names[name] = names.get(name) or value

    def _find(self, name: str) -> _Value | None:
        scope: _Scope | None = self
        while scope is not None:
            # What a class has is not seen by its methods.
            if name in scope._names and (scope is self or not scope._is_class):
                return scope._names[name]
            scope = scope._parent
        return None


def uses(tree: ast.Module) -> list[Found]:
    """All that is used of the SDK besides its imports, in the order of the source."""
    nodes = list(_scoped(tree))
    for scope in {id(scope): scope for _, scope in nodes}.values():
        scope.bind_objects()
    decorators = {id(decorator) for node, _ in nodes for decorator in getattr(node, "decorator_list", ())}
    found = []
    done: set[int] = set()
    for node, scope in nodes:  # a call before what it calls, the whole name before its beginning
        if id(node) in done:
            continue
        called = node.func if isinstance(node, ast.Call) else node
        value = scope.resolve(called)
        if value is not None and value.name:
            found.append(_use(node, called, value, is_decorator=id(node) in decorators))
            done.update(map(id, ast.walk(called)))
        elif isinstance(node, ast.Call) and (by_name := _by_name(node)) is not None:
            found.append(by_name)
    return sorted(found, key=lambda one: (one.line, one.column))


def written(node: ast.AST) -> str | None:
    """``a.b.c`` for such an expression."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(words)]) if isinstance(node, ast.Name) else None


def _scoped(tree: ast.Module) -> Iterator[tuple[ast.AST, _Scope]]:
    """Every node with the scope it is evaluated in, what is around it first."""
    waiting: list[tuple[ast.AST, _Scope]] = [(tree, _Scope(tree, None))]
    while waiting:
        node, scope = waiting.pop()
        yield node, scope
        inside = scope if isinstance(node, ast.Module) or not _is_scope(node) else _Scope(node, scope)
        inner = set(map(id, _body(node)))
        waiting += [(child, inside if id(child) in inner else scope) for child in ast.iter_child_nodes(node)]


def _is_scope(node: ast.AST) -> bool:
    return isinstance(node, (ast.Module, ast.ClassDef, *Function))


def _body(node: ast.AST) -> list[ast.AST]:
    """What of a module, class or function is evaluated in its own scope: not its defaults, decorators and bases."""
    if not _is_scope(node):
        return []
    body: list[ast.AST] | ast.AST = node.body  # type: ignore[attr-defined]
    return body if isinstance(body, list) else [body]


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes in the body of a scope, and its parameters, but not the bodies of other scopes in it."""
    if isinstance(scope, Function):
        yield from (node for node in ast.walk(scope.args) if isinstance(node, ast.arg))
    waiting = _body(scope)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if not _is_scope(node):
            waiting += ast.iter_child_nodes(node)


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, _Value | None]]:
    """The names that an import binds."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            module, name = "" if statement.level else statement.module or "", alias.asname or alias.name
            full = f"{module}.{alias.name}"
        else:
            module, name = alias.name, alias.asname or alias.name.partition(".")[0]
            full = alias.name if alias.asname else name
        is_ours = module == PACKAGE or module.startswith(f"{PACKAGE}.")
        below = full[len(PACKAGE) + 1 :]
        yield name, _Value(below, is_of_package=not below) if is_ours else None


def _assigned(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """Variables and what they are given by a node: ``x = ...``, ``x: T = ...``, ``x := ...``, ``with ... as x``."""
    pairs: list[tuple[ast.expr | None, ast.expr | None]] = []
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.withitem):
        pairs = [(node.optional_vars, node.context_expr)]
    return [(target.id, value) for target, value in pairs if isinstance(target, ast.Name) and value is not None]


def _use(node: Any, called: ast.AST, value: _Value, *, is_decorator: bool) -> Found:
    text = ("@" if is_decorator else "") + (written(called) or "")
    note = ""
    if isinstance(node, ast.Call):
        positional = ["…"] * len(node.args)
        named = [keyword.arg or "**…" for keyword in node.keywords]
        text += f"({', '.join([*positional, *named])})"
        if value.name.removeprefix("client.") in TAKE_HOSTED:
            # The first one is the key.
            idle = sorted(WITHOUT_EFFECT.keys() & ({*named, "api_key"} if positional else set(named)))
            note = f"without effect: {', '.join(idle)}" if idle else ""
    return Found(node.lineno, node.col_offset + 1, text, counterpart(value.name, of_package=value.is_of_package), note)


def _by_name(node: ast.Call) -> Found | None:
    """A call that is given the name of the package: nothing in it can be renamed by its imports."""
    first = node.args[0] if node.args else None
    function = (written(node.func) or "").rpartition(".")[2]
    if function not in _TAKE_NAMES or not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return None
    if first.value.partition(".")[0] != PACKAGE:
        return None
    becomes = Counterpart(Fate.BY_HAND, f"{COMPAT}.install() before it")
    return Found(node.lineno, node.col_offset + 1, f"{function}({first.value!r})", becomes)


_TAKE_NAMES = frozenset({"import_module", "__import__", "find_spec", "set_global_handler"})
"""Functions that import a package by its name, or have another package import it."""
