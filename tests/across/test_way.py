"""How functions of other people's modules are wrapped, whenever these are imported, and given back."""

from __future__ import annotations

import importlib
import multiprocessing.pool
import multiprocessing.process
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import wrapt
from opentelemetry import propagate
from support import programs
from support.spans import Spans, in_use

import agentops_otel as ao
from agentops_otel.across.imports import Imports
from agentops_otel.across.way import Way
from agentops_otel.runtime import runtime

WRAPPED: list[tuple[Any, str]] = [
    (threading.Thread, "start"),
    (ThreadPoolExecutor, "submit"),
    (ProcessPoolExecutor, "submit"),
    (subprocess.Popen, "__init__"),
    (multiprocessing.process.BaseProcess, "start"),
    (multiprocessing.process.BaseProcess, "_bootstrap"),
    *(
        (multiprocessing.pool.Pool, name)
        for name in (
            "__init__",
            "apply_async",
            "map",
            "map_async",
            "starmap",
            "starmap_async",
            "imap",
            "imap_unordered",
        )
    ),
    (propagate, "set_global_textmap"),
]


class TestAll:
    def test_give_back_what_they_have_wrapped(self) -> None:
        originals = [vars(owner)[name] for owner, name in WRAPPED]
        finders = list(sys.meta_path)
        for switch in (runtime.release, lambda: ao.configure(propagation=False)):
            with in_use(Spans()):
                wrappers = [vars(owner)[name] for owner, name in WRAPPED]
                for original, wrapper in zip(originals, wrappers, strict=True):
                    assert wrapper is not original
                    assert (wrapper.__wrapped__, wrapper.__qualname__) == (original, original.__qualname__)
                    assert signature(wrapper) == signature(original)
                switch()
                assert [vars(owner)[name] for owner, name in WRAPPED] == originals
                assert sys.meta_path == finders

    def test_are_wrapped_once_however_often_that_is_asked_for(self) -> None:
        with in_use(Spans()):
            wrappers = [vars(owner)[name] for owner, name in WRAPPED]
            for _ in range(3):
                ao.configure(propagation=True)
                with ao.session():
                    pass
            assert [vars(owner)[name] for owner, name in WRAPPED] == wrappers


def test_sessions_stay_here_where_the_baggage_cannot_be_sent() -> None:
    code = """
import logging, subprocess, sys
import agentops_otel as ao
from multiprocessing import Pool
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
logging.disable()
context.attach(baggage.set_baggage("name", chr(0xdcff)))
with ao.session(), Pool(1) as pool:
    subprocess.run([sys.executable, "-c", "print(1)"], check=True)
    print(pool.apply(len, ("12",)))
"""
    outcome = programs.run(["-c", code], {"PYTHONWARNINGS": "ignore"})
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "1\n2\n", "")


class Greeter:
    def greet(self, name: str) -> str:
        return f"hello {name}"


class Louder(Way):
    """Makes greetings louder."""

    def __init__(self) -> None:
        super().__init__(runtime.registry, {__name__: lambda module: self._wrap(Greeter, "greet", self._around)})

    def _around(self, original: Callable[..., str]) -> Callable[..., str]:
        def greet(greeter: Greeter, name: str) -> str:
            return original(greeter, name) + ("!" if self._is_on else "")

        return greet


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Iterator[Louder]:
    original = Greeter.greet
    monkeypatch.setitem(sys.modules, __name__, ModuleType(__name__))
    way = Louder()
    yield way
    way.uninstall()
    Greeter.greet = original  # type: ignore[method-assign]


class TestWay:
    def test_wraps_and_gives_back(self, way: Louder) -> None:
        original = Greeter.greet
        for _ in range(2):
            way.install()
            way.install()
            assert Greeter().greet("you") == "hello you!"
            way.uninstall()
            assert Greeter.greet is original

    def test_leaves_the_wrapper_where_somebody_has_wrapped_it_since(self, way: Louder) -> None:
        way.install()
        ours = Greeter.greet

        def theirs(greeter: Greeter, name: str) -> str:
            return ours(greeter, name) + "?"

        Greeter.greet = theirs  # type: ignore[method-assign,assignment]
        way.uninstall()
        assert Greeter.greet is theirs
        assert Greeter().greet("you") == "hello you?"
        way.install()
        assert Greeter.greet is theirs
        assert Greeter().greet("you") == "hello you!?"

    def test_wraps_what_wrapt_has_wrapped(self, way: Louder) -> None:
        def theirs(wrapped: Callable[..., str], instance: Greeter, args: Any, kwargs: Any) -> str:
            assert isinstance(instance, Greeter)
            return f"{wrapped(*args, **kwargs)}?"

        wrapt.wrap_function_wrapper(Greeter, "greet", theirs)
        before = vars(Greeter)["greet"]
        way.install()
        assert Greeter().greet("you") == "hello you?!"
        way.uninstall()
        assert vars(Greeter)["greet"] is before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to import from."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "some_module.py").write_text("value = 1\n")
    return tmp_path


class TestImports:
    @pytest.fixture
    def seen(self, folder: Path) -> Iterator[list[object]]:
        """Values of the module when the hook was called."""
        seen: list[object] = []
        imports = Imports({"some_module": lambda module: seen.append(module.value), "not_there": print})
        imports.install()
        yield seen
        imports.uninstall()
        sys.modules.pop("some_module", None)

    def test_are_noticed_when_the_module_is_there(self, seen: list[object]) -> None:
        assert seen == []
        module = importlib.import_module("some_module")
        assert seen == [1]
        importlib.import_module("some_module")
        assert seen == [1]
        # Nobody sees that there was somebody in between.
        for loader in (module.__loader__, module.__spec__ and module.__spec__.loader):
            assert type(loader).__module__.startswith("_frozen_importlib")

    def test_are_noticed_when_the_module_is_there_already(self, folder: Path) -> None:
        module = importlib.import_module("some_module")
        seen: list[ModuleType] = []
        imports = Imports({"some_module": seen.append})
        imports.install()
        imports.uninstall()
        del sys.modules["some_module"]
        assert seen == [module]

    def test_are_noticed_again_when_they_are_repeated(self, seen: list[object], folder: Path) -> None:
        module = importlib.import_module("some_module")
        (folder / "some_module.py").write_text("value = 22\n")
        importlib.reload(module)
        assert seen == [1, 22]

    def test_may_fail(self, seen: list[object], folder: Path) -> None:
        (folder / "some_module.py").write_text("value = 1 / 0\n")
        with pytest.raises(ZeroDivisionError):
            importlib.import_module("some_module")
        (folder / "some_module.py").write_text("value = 333\n")
        importlib.import_module("some_module")
        assert seen == [333]
        with pytest.raises(ModuleNotFoundError, match="No module named 'not_there'"):
            importlib.import_module("not_there")

    def test_are_not_done_by_who_only_asks(self, seen: list[object]) -> None:
        spec = importlib.util.find_spec("some_module")
        assert spec is not None
        assert spec.loader is not None
        assert spec.loader.get_source("some_module") == "value = 1\n"  # type: ignore[attr-defined]
        assert seen == []

    def test_may_be_noticed_by_others_too(self, folder: Path, seen: list[object]) -> None:
        theirs: list[object] = []
        wrapt.register_post_import_hook(theirs.append, "some_module")
        another = Imports({"some_module": lambda module: seen.append(-module.value)})
        another.install()
        module = importlib.import_module("some_module")
        another.uninstall()
        assert (sorted(set(seen)), theirs) == ([-1, 1], [module])  # type: ignore[type-var]

    def test_end_with_the_hook(self, folder: Path) -> None:
        seen: list[ModuleType] = []
        imports = Imports({"some_module": seen.append})
        imports.install()
        imports.uninstall()
        importlib.import_module("some_module")
        del sys.modules["some_module"]
        assert seen == []

    def test_do_not_fail_with_the_hook(self) -> None:
        code = """
import logging, sys
from agentops_otel.across.imports import Imports
logging.disable()
imports = Imports({"wave": lambda module: 1 / 0, "json": lambda module: 1 / 0})
import json
imports.install()
import wave
print(wave.__name__)
"""
        outcome = programs.run(["-c", code])
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "wave\n", "")
