"""Which files there are to read, and what is in them."""

from __future__ import annotations

import ast
import difflib
import io
import os
import re
import stat
import sys
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...compat.install import PACKAGE
from .calls import uses
from .counterparts import Fate, Found
from .imports import imports

MAX_BYTES = 16 * 1024 * 1024
"""A larger file is none that somebody has written."""

_SUFFIXES = (".py", ".pyi", ".pyw")
_NOTEBOOK = ".ipynb"
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NOT_YOURS = ("__pycache__", "node_modules", "site-packages")


class File(NamedTuple):
    """A file that uses the SDK."""

    path: Path
    found: list[Found]
    before: str
    after: str
    """Its source, and that with the imports changed."""
    encoding: str

    @property
    def is_done(self) -> bool:
        """Whether it goes on when its imports are changed."""
        return all(one.becomes.fate is Fate.AS_IS for one in self.found)

    def diff(self) -> bytes:
        """The change of the imports, for ``git apply`` or ``patch -p1``, in the encoding of the file."""
        # Lines as those programs see them, to whom a lone "\r" is a character like any other.
        before, after = (_LINE.findall(text) for text in (self.before, self.after))
        name = _relative(self.path)
        diff = list(difflib.unified_diff(before, after, _quoted(f"a/{name}"), _quoted(f"b/{name}")))
        body = [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff[2:]]
        return "".join(diff[:2]).encode() + "".join(body).encode(self.encoding)


class Skipped(NamedTuple):
    """A file that was not read, and why."""

    path: Path
    reason: str


def read(paths: list[Path]) -> Iterator[File | Skipped]:
    """Reads files, and all Python files in directories, by name. Those that do not mention the SDK are left out.

    Links are followed, and each file and directory is read once. Left out are the directories of virtual environments
    and other packages, and those that are hidden.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        for file in _files(path, seen):
            one = _read(file, is_named=file == path)
            if one is not None:
                yield one


def _files(path: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    waiting = [path]
    while waiting:
        one = waiting.pop()
        try:
            status = one.stat()
        except OSError:
            yield one  # a link to nothing, or to itself: reading it says so
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if not stat.S_ISDIR(status.st_mode):
            yield one
            continue
        try:
            inside = sorted(one.iterdir(), reverse=True)
        except OSError:
            yield one
            continue
        if one == path or not os.path.exists(one / "pyvenv.cfg"):
            waiting += [child for child in inside if _is_yours(child)]


def _is_yours(path: Path) -> bool:
    if os.path.isdir(path):  # unlike Path.is_dir it never raises
        return not path.name.startswith(".") and path.name not in _NOT_YOURS
    return path.suffix in (*_SUFFIXES, _NOTEBOOK)


def _read(path: Path, *, is_named: bool) -> File | Skipped | None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return Skipped(path, "not a file")  # opening a pipe would wait for whoever writes to it
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return Skipped(path, error.strerror or "not readable")
    if PACKAGE.encode() not in data and not is_named:
        return None
    if path.suffix == _NOTEBOOK:
        return Skipped(path, "a notebook")
    if len(data) > MAX_BYTES:
        return Skipped(path, "too large")
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none, and more of the kind
            tree = ast.parse(data)
        before = data.decode(encoding)
        bom = "\ufeff" if encoding == "utf-8-sig" else ""
        imported = imports(tree, before)
        found = sorted([*imported.found, *uses(tree)], key=lambda one: (one.line, one.column))
    except (SyntaxError, ValueError) as error:
        return Skipped(path, f"not Python {_what(error)}")
    except (RecursionError, MemoryError):
        return Skipped(path, "nested too deeply")
    encoding = encoding.removesuffix("-sig")
    return File(path, found, bom + before, bom + imported.source, encoding) if found else None


def _what(error: SyntaxError | ValueError) -> str:
    line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    return f"{sys.version_info.major}.{sys.version_info.minor}{line}: {getattr(error, 'msg', error)}"


def _relative(path: Path) -> str:
    """A path below the working directory, or else the root."""
    full = Path(os.path.abspath(path))
    here = Path.cwd()
    return full.relative_to(here if full.is_relative_to(here) else full.anchor).as_posix()


def _quoted(name: str) -> str:
    """A name in the header of a diff: where it is not plain, as C and git write it."""
    if name.isprintable() and not set(name) & {'"', "\\"}:
        return name
    shown = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in os.fsencode(name))
    return f'"{"".join(shown)}"'
