"""The imports of a module, as they have to be: its source changed in no other way."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from ...compat.install import PACKAGE
from .counterparts import COMPAT, KEPT, Counterpart, Fate, Found, counterpart, home

_FROM = re.compile(rf"from[\s\\]+{PACKAGE}(?:[\s\\]*\.[\s\\]*\w+)*")


class Imports(NamedTuple):
    """What a module imports of the SDK."""

    found: list[Found]
    source: str
    """The module with the imports changed; those that have no counterpart are left."""


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def imports(tree: ast.Module, source: str) -> Imports:
    """What becomes of the imports of the SDK."""
    positions = _Positions(source)
    found: list[Found] = []
    edits: list[_Edit] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _import(alias, positions, found, edits)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            _import_from(node, positions, found, edits)
    parts: list[str] = []
    done = 0
    for edit in sorted(edits):
        parts += [source[done : edit.start], edit.text]
        done = edit.end
    return Imports(found, "".join([*parts, source[done:]]))


class _Positions:
    """Where nodes stand in a source: a syntax tree counts lines, and bytes of UTF-8 in them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", source))]

    def of(self, node: ast.stmt | ast.alias) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def separator(self, start: int, end: int) -> str:
        """What stands between statements that take the place of one."""
        line = re.search(r"[^\r\n]*\Z", self.source[:start])
        indent = line[0] if line else ""
        rest = re.match(r"[ \t]*(#[^\r\n]*)?(\r\n|\r|\n|\Z)", self.source[end:])
        return "; " if indent.strip() or rest is None else f"{rest[2] or chr(10)}{indent}"

    def _offset(self, line: int, column: int) -> int:
        start = self._starts[line - 1]
        # A column is at most as many characters as it is bytes.
        return start + len(self.source[start : start + column].encode()[:column].decode())


def _import(alias: ast.alias, positions: _Positions, found: list[Found], edits: list[_Edit]) -> None:
    package, _, module = alias.name.partition(".")
    if package != PACKAGE:
        return
    there = home(module)
    if there is None or (not there and module and alias.asname):
        becomes = counterpart(module, of_package=False)
    else:
        # Without a name of its own, `import agentops.sdk.core` gives the package.
        source = f"{COMPAT}.{there}".rstrip(".") if alias.asname else COMPAT
        text = f"{source} as {alias.asname or PACKAGE}"
        becomes = Counterpart(Fate.AS_IS, f"import {text}")
        edits.append(_Edit(*positions.of(alias), text))
    found.append(Found(alias.lineno, alias.col_offset + 1, f"import {_written(alias)}", becomes))


def _import_from(statement: ast.ImportFrom, positions: _Positions, found: list[Found], edits: list[_Edit]) -> None:
    package, _, module = (statement.module or "").partition(".")
    if package != PACKAGE:
        return
    targets: dict[str, list[ast.alias]] = {}
    left: list[ast.alias] = []
    for alias in statement.names:
        target = _target(module, alias)
        if target is None:
            left.append(alias)
            becomes = counterpart(".".join(filter(None, (module, alias.name))), of_package=False)
        else:
            targets.setdefault(target[0], []).append(target[1])
            becomes = Counterpart(Fate.AS_IS, f"from {target[0]} import {_written(target[1])}")
        text = f"from {statement.module} import {_written(alias)}"
        found.append(Found(alias.lineno, alias.col_offset + 1, text, becomes))
    if not targets:
        return
    start, end = positions.of(statement)
    if not left and [*targets.values()] == [statement.names]:
        # Only the module has another name: the lines, comments and parentheses of the others stay.
        match = _FROM.match(positions.source, start, end)
        end = match.end() if match else start
        edits.append(_Edit(start, end, f"from {next(iter(targets))}"))
    else:
        sources = [*targets.items(), *([(str(statement.module), left)] if left else [])]
        lines = [f"from {source} import {', '.join(map(_written, names))}" for source, names in sources]
        edits.append(_Edit(start, end, positions.separator(start, end).join(lines)))


def _target(module: str, alias: ast.alias) -> tuple[str, ast.alias] | None:
    """Where something that is imported from ``agentops.{module}`` comes from then, and what it is called there."""
    there = home(module)
    if there == "semconv" or (there is not None and alias.name == "*"):
        return f"{COMPAT}.{there}".rstrip("."), alias
    if there is not None and alias.name in KEPT:
        return COMPAT, alias
    submodule = home(".".join(filter(None, (module, alias.name))))
    if submodule:
        renamed = alias.asname or alias.name
        return COMPAT, alias if submodule == alias.name else ast.alias(submodule, renamed)
    return None


def _written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name
