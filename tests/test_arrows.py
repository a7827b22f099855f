"""The architecture as it stands in the source: imports point one way, and each dangerous thing has one place."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import agentops_otel

ROOT = Path(inspect.getfile(agentops_otel)).parent

BASE = {"semconv", "config", "shield", "clock", "own_threads", "prices", "environment_variables"}
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(BASE, BASE),
    "standard_provider": BASE,
    "sessions": BASE | {"sessions"},
    "exits": BASE | {"sessions", "exits"},
    "across": BASE | {"sessions", "across"},
    "decorators": BASE | {"sessions", "decorators"},
    "journal": BASE | {"sessions", "journal"},
    "providers": BASE | {"sessions", "exits"},
    "runtime": BASE | {"sessions", "exits", "across", "decorators", "journal", "providers"},
    "processor": BASE | {"sessions", "runtime"},
    "sampling": BASE | {"sessions", "runtime", "sampling"},
    "api": BASE | {"sessions", "decorators", "runtime", "standard_provider"},
    "operations": BASE | {"sessions", "decorators", "runtime"},
    "compat": BASE | {"sessions", "across", "decorators", "runtime", "api", "standard_provider", "compat"},
    "instrumentation": BASE | {"sessions", "across", "decorators", "runtime", "compat", "instrumentation"},
    "__init__": {"api", "operations", "processor", "sessions"},
    "cli": BASE | {"cli", "journal", "instrumentation", "compat"},
    "testing": BASE | {"sessions", "runtime", "testing"},
}
"""Which part (a module, or a folder with all that is in it) may import which."""

EXCEPTIONS = {
    # The span processor needs the SDK, and most programs import this package before they know whether they have one.
    ("runtime", "processor"),
}
LONGEST = 400
"""Lines of a module."""


@dataclass(frozen=True)
class Module:
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def part(self) -> str:
        """The folder it is in, or itself."""
        return self.name.split("/")[0].removesuffix(".py")

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def package(self) -> list[str]:
        return ["agentops_otel", *self.path.relative_to(ROOT).parts[:-1]]

    def imports(self) -> Iterator[str]:
        """Every module or name that is imported anywhere in it, by its full name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                start = self.package[: len(self.package) - node.level + 1] if node.level else []
                base = ".".join([*start, *([node.module] if node.module else [])])
                yield from (f"{base}.{alias.name}" for alias in node.names)

    def imported_parts(self) -> set[str]:
        """The parts of this package that it imports."""
        names = [name.split(".")[1] for name in self.imports() if name.startswith("agentops_otel.")]
        return {name for name in names if name != "__version__"}

    def uses(self) -> Iterator[str]:
        """Every name it uses, as far as it is dotted, with imported names by their full name; no annotations."""
        aliases: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        for node in ast.walk(_without_annotations(ast.parse(self.source))):
            name = dotted(node)
            if name is not None:
                first, dot, rest = name.partition(".")
                yield aliases.get(first, first) + dot + rest


def _without_annotations(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
    return tree


def dotted(node: ast.AST) -> str | None:
    """``a.b.c`` for such an expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        value = dotted(node.value)
        return None if value is None else f"{value}.{node.attr}"
    return None


MODULES = [Module(path) for path in sorted(ROOT.rglob("*.py"))]


def importers(*names: str) -> set[str]:
    """The modules that import one of these modules, or something of it."""
    return {
        module.name
        for module in MODULES
        if any(imported == name or imported.startswith(f"{name}.") for imported in module.imports() for name in names)
    }


def users(*names: str) -> set[str]:
    """The modules that use one of these names, however they have imported it."""
    return {module.name for module in MODULES if set(names) & {*module.uses(), *module.imports()}}


def in_parts(modules: set[str], *parts: str) -> set[str]:
    return {name for name in modules if name.split("/")[0].removesuffix(".py") in parts}


each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.name))


class TestImports:
    @each_module
    def test_point_one_way(self, module: Module) -> None:
        wrong = module.imported_parts() - MAY_IMPORT[module.part]
        assert {part for part in wrong if (module.part, part) not in EXCEPTIONS} == set()

    def test_that_are_excepted_are_there(self) -> None:
        imported = {(module.part, part) for module in MODULES for part in module.imported_parts()}
        assert imported >= EXCEPTIONS

    def test_have_no_circle(self) -> None:
        done: set[str] = set()
        while len(done) < len(MAY_IMPORT):
            ready = {part for part, others in MAY_IMPORT.items() if others <= done | BASE | {part}} - done
            assert ready
            done |= ready

    def test_excepted_ones_are_inside_of_functions(self) -> None:
        for module in MODULES:
            top = Module(module.path)
            top.__dict__["tree"] = ast.Module(
                [node for node in module.tree.body if isinstance(node, (ast.Import, ast.ImportFrom))], []
            )
            assert {(module.part, part) for part in top.imported_parts()} & EXCEPTIONS == set()

    def test_of_the_command_line_are_nobody_elses(self) -> None:
        assert [module.name for module in MODULES if "cli" in module.imported_parts() and module.part != "cli"] == []

    def test_of_the_sdk_are_not_at_the_top_of_what_every_program_imports(self) -> None:
        # Not even for types: those stand under TYPE_CHECKING.
        late = {"processor.py", "sessions/processor.py", "sessions/log_processor.py"}
        for module in MODULES:
            if (
                module.part not in ("cli", "instrumentation", "journal", "sampling", "testing")
                and module.name not in late
            ):
                for node in module.tree.body:
                    if isinstance(node, (ast.Import, ast.ImportFrom)):
                        names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                        assert not [name for name in names if name and name.startswith("opentelemetry.sdk")]


class TestOnePlace:
    def test_finalizers(self) -> None:
        assert users("weakref.finalize") == {"sessions/leak_guard.py"}
        assert not [
            module.name
            for module in MODULES
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef) and node.name == "__del__"
        ]

    def test_exit_hooks(self) -> None:
        found = importers("atexit") | users(
            "sys.excepthook", "threading.excepthook", "sys.unraisablehook", "os.register_at_fork"
        )
        assert found == in_parts(found, "exits")

    def test_signals(self) -> None:
        # The command line supervises: it forwards signals. And who starts a thread must not let it take one.
        found = importers("signal") | users("os.kill", "os.killpg")
        assert found - in_parts(found, "exits", "cli") == {"own_threads.py"}

    def test_environment(self) -> None:
        # The command line makes the environment of the program that it starts.
        found = users("os.environ", "os.getenv", "os.environb", "os.putenv", "os.unsetenv")
        assert found - in_parts(found, "cli") == {"config.py"}

    def test_files_and_the_network(self) -> None:
        found = users("open", "os.open", "os.write", "os.mkdir", "os.makedirs", "os.remove", "os.rename", "os.fdopen")
        found |= importers(
            "io", "pathlib", "tempfile", "shutil", "sqlite3", "mmap", "socket", "subprocess", "urllib", "http"
        )
        # A signal handler may do nothing but write to a pipe.
        assert found - in_parts(found, "cli", "journal") == {"exits/signals.py"}

    def test_wrapping(self) -> None:
        found = importers("wrapt")
        assert found == in_parts(found, "across", "instrumentation")

    def test_prices(self) -> None:
        assert importers("genai_prices") == {"prices.py"}

    def test_hooks_of_imports(self) -> None:
        # One of them is asked for distributions only, and finds no module.
        hooks = {"across/imports.py", "instrumentation/definitions.py", "compat/install.py"}
        assert users("sys.meta_path") == hooks

    def test_running_of_what_was_read(self) -> None:
        assert importers("pickle", "marshal", "shelve") == set()
        assert importers("ctypes") == {"exits/signals.py"}  # for one call of signal(2), with constants
        assert users("eval", "exec", "compile", "__import__") == set()

    def test_sleep(self) -> None:
        # Waiting for what has no event: at the exit, and for the end of a write of another thread, which is not to pay
        # for one.
        found = users("time.sleep")
        assert found - in_parts(found, "cli") <= {"sessions/registry.py", "journal/pen.py"}


BROAD = {"Exception", "BaseException"}


def catches_broadly(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or dotted(kind) in BROAD for kind in kinds)


def raises_again(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def absorbs(handler: ast.ExceptHandler) -> bool:
    [statement, *more] = handler.body
    return (
        not more
        and isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and dotted(statement.value.func) == "absorb"
    )


def passes_on(handler: ast.ExceptHandler) -> bool:
    """``step = functools.partial(generator.throw, error)`` or ``step = generator.athrow(error)``."""
    [statement, *more] = handler.body
    if more or not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    names = [dotted(node) or "" for node in (statement.value.func, *statement.value.args)]
    return handler.name in names and any(name.endswith((".throw", ".athrow")) for name in names)


class TestExceptions:
    @each_module
    def test_stop_in_one_place(self, module: Module) -> None:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and catches_broadly(node) and module.name != "shield.py":
                allowed = raises_again(node) or absorbs(node)
                allowed = allowed or (module.name == "decorators/functions.py" and passes_on(node))
                assert allowed, f"{module.name}:{node.lineno}"

    @each_module
    def test_are_not_suppressed_broadly(self, module: Module) -> None:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and (dotted(node.func) or "").endswith("suppress"):
                assert not {dotted(argument) for argument in node.args} & BROAD, f"{module.name}:{node.lineno}"

    @each_module
    def test_are_not_swallowed_by_a_return_in_finally(self, module: Module) -> None:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Try):
                for inner in (inner for statement in node.finalbody for inner in ast.walk(statement)):
                    assert not isinstance(inner, (ast.Return, ast.Break, ast.Continue)), f"{module.name}:{node.lineno}"


@each_module
def test_says_what_it_is_for(module: Module) -> None:
    assert ast.get_docstring(module.tree)


@each_module
def test_is_short(module: Module) -> None:
    assert len(module.source.splitlines()) <= LONGEST


@each_module
def test_prints_nothing(module: Module) -> None:
    if module.part != "cli":
        assert "print" not in set(module.uses())
