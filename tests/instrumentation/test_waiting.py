"""What waits for an import: when its turn comes, in which order, and that nothing of it reaches the import."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentops_otel import shield
from agentops_otel.instrumentation.waiting import Line


class Modules:
    """Modules that nobody has imported yet, by names that were never used before."""

    count = 0

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        Modules.count += 1

    def name(self, name: str) -> str:
        return f"waited_for_{self.count}_{name}"

    def write(self, name: str, source: str = "") -> str:
        path = self.directory / f"{self.name(name)}.py"
        path.write_text(source)
        importlib.invalidate_caches()
        return self.name(name)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Modules]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Modules(tmp_path)
    for name in [name for name in sys.modules if name.startswith("waited_for_")]:
        del sys.modules[name]


@pytest.fixture
def happened() -> list[str]:
    return []


def wait(line: Line, happened: list[str], what: str, *modules: str, own: str = "waited_for_nobody") -> None:
    line.wait(frozenset(modules), own, lambda: happened.append(what))


def test_its_turn_comes_once(modules: Modules, happened: list[str]) -> None:
    one, two = modules.write("one"), modules.write("two")
    wait(Line(), happened, "loaded", one, two)
    assert happened == []
    importlib.import_module(two)
    assert happened == ["loaded"]
    importlib.import_module(one)
    importlib.import_module(two)
    assert happened == ["loaded"]


def test_its_turn_comes_at_once_where_the_module_is_there(modules: Modules, happened: list[str]) -> None:
    one = modules.write("one")
    importlib.import_module(one)
    wait(Line(), happened, "loaded", one)
    assert happened == ["loaded"]


def test_in_the_order_of_waiting(modules: Modules, happened: list[str]) -> None:
    line, one, two = Line(), modules.write("one"), modules.write("two")
    for what, where in (("a", [two, one]), ("b", [one]), ("c", [two]), ("d", [one, two])):
        wait(line, happened, what, *where)
    importlib.import_module(one)
    assert happened == ["a", "b", "d"]
    importlib.import_module(two)
    assert happened == ["a", "b", "d", "c"]


def test_the_import_sees_all_of_the_module(modules: Modules) -> None:
    one = modules.write("one", "first = 1\nsecond = 2\n")
    seen: list[object] = []
    Line().wait(frozenset({one}), "waited_for_nobody", lambda: seen.append(vars(sys.modules[one])["second"]))
    importlib.import_module(one)
    assert seen == [2]


def test_not_in_the_middle_of_another_of_its_modules(modules: Modules, happened: list[str]) -> None:
    inner = modules.write("inner")
    outer = modules.write("outer", f"import {inner}\nwhole = True\n")
    seen: list[bool] = []
    Line().wait(
        frozenset({inner, outer}), "waited_for_nobody", lambda: seen.append(hasattr(sys.modules[outer], "whole"))
    )
    importlib.import_module(outer)
    assert seen == [True]


def test_not_in_the_middle_of_its_own_module(modules: Modules) -> None:
    library = modules.write("library")
    own = modules.write("own", f"import {library}\nwhole = True\n")
    seen: list[bool] = []
    Line().wait(frozenset({library}), own, lambda: seen.append(hasattr(sys.modules[own], "whole")))
    importlib.import_module(own)
    assert seen == [True]


def test_its_own_module_alone_is_not_waited_for(modules: Modules, happened: list[str]) -> None:
    own = modules.write("own")
    wait(Line(), happened, "loaded", modules.write("library"), own=own)
    importlib.import_module(own)
    assert happened == []


def test_where_the_outer_module_cannot_be_imported_the_next_import_counts(
    modules: Modules, happened: list[str]
) -> None:
    inner, other = modules.write("inner"), modules.write("other")
    outer = modules.write("outer", f"import {inner}\nraise OSError\n")
    wait(Line(), happened, "loaded", inner, outer, other)
    with pytest.raises(OSError):
        importlib.import_module(outer)
    assert happened == []
    importlib.import_module(other)
    assert happened == ["loaded"]


def test_loading_that_imports_the_module_again_does_not_recurse(modules: Modules, happened: list[str]) -> None:
    one, two = modules.write("one"), modules.write("two")
    line = Line()

    def load() -> None:
        importlib.import_module(one)
        importlib.import_module(two)
        happened.append("loaded")

    line.wait(frozenset({one, two}), "waited_for_nobody", load)
    wait(line, happened, "other", two)
    importlib.import_module(one)
    assert happened == ["other", "loaded"]


def test_what_it_raises_stays_out_of_the_import(
    modules: Modules, happened: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shield, "reraise", False)
    monkeypatch.setattr(shield, "_said", set())
    line, one = Line(), modules.write("one")

    def fail() -> None:
        raise RuntimeError("of the vendor")

    line.wait(frozenset({one}), "waited_for_nobody", fail)
    wait(line, happened, "next", one)
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        importlib.import_module(one)
    assert happened == ["next"]
    assert [record.message for record in caplog.records] == [
        "failed while loading what waited for an import; later failures of this kind are not logged"
    ]


def test_of_many_threads_one_loads_it_and_none_goes_on_without(modules: Modules) -> None:
    one = modules.write("one")
    loaded: list[str] = []
    without: list[str] = []
    started = threading.Barrier(8)

    def load() -> None:
        loaded.append("loaded")

    def use() -> None:
        started.wait()
        importlib.import_module(one)
        if not loaded:
            without.append("not loaded")

    Line().wait(frozenset({one}), "waited_for_nobody", load)
    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (loaded, without) == (["loaded"], [])
