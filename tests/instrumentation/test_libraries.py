"""Which modules belong to the libraries of an instrumentation, read from what is installed."""

from __future__ import annotations

import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from support.distributions import Site

from agentops_otel.instrumentation.libraries import modules_of_libraries


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


def modules(site: Site, *libraries: str, extra: str = "instruments") -> set[str]:
    site.install("vendor", {}, requires=[f'{line}; extra == "{extra}"' for line in libraries], extras=[extra])
    found = modules_of_libraries(distribution("vendor"))
    assert not found & sys.modules.keys()
    return set(found)


def test_the_outermost_of_what_it_has_installed(site: Site) -> None:
    site.install(
        "My.Library",
        {
            "mine/__init__.py": "",
            "mine/deep/__init__.py": "",
            "mine/deep/module.py": "",
            "mine/data/file.py": "",
            "mine_single.py": "",
            "_mine_fast.cpython-311-x86_64-linux-gnu.so": "",
            "mine.data.txt": "",
            "not-a-module/setup.py": "",
            "../../bin/mine.py": "",
        },
    )
    assert modules(site, "my-library>=1") == {"mine", "mine_single", "_mine_fast"}


def test_in_a_namespace(site: Site) -> None:
    site.install("spaced", {"space/part/__init__.py": "", "space/part/inner.py": "", "space/module.py": ""})
    assert modules(site, "spaced") == {"space.part", "space.module"}


@pytest.mark.parametrize("extra", ["instruments", "instruments-any"])
def test_of_every_library_that_is_there(site: Site, extra: str) -> None:
    site.library("one")
    site.library("two")
    assert modules(site, "one", "missing", "two<9", extra=extra) == {"one", "two"}


def test_not_of_other_requirements(site: Site) -> None:
    site.library("one")
    site.install("vendor", {}, requires=["one", 'one; extra == "test"'], extras=["test"])
    assert modules_of_libraries(distribution("vendor")) == frozenset()


def test_of_one_that_does_not_list_its_modules(site: Site) -> None:
    (site.directory / "editable_lib").mkdir()
    (site.directory / "editable_lib" / "__init__.py").write_text("")
    site.install("editable-lib", {}, record=False)
    assert modules(site, "editable-lib") == {"editable_lib"}
    site.install("other-name", {"other_name-1.0.dist-info/top_level.txt": "editable_lib\nspace_lib\n"}, record=False)
    (site.directory / "space_lib").mkdir()
    assert modules(site, "other-name") == {"editable_lib"}
    site.install("nothing-known", {}, record=False)
    assert modules(site, "nothing-known") == set()


def test_of_one_that_only_brings_its_parts(site: Site) -> None:
    site.install("whole", {}, requires=["whole-core>=1", "pydantic", 'whole-extra; extra == "all"', "not valid ==="])
    site.install("whole-core", {"whole/core/__init__.py": ""})
    site.install("whole-extra", {"whole/extra/__init__.py": ""})
    assert modules(site, "whole") == {"whole.core"}


def test_langchain_is_used_by_parts(site: Site) -> None:
    site.install("langchain", {"langchain/__init__.py": ""})
    site.install("langchain-core", {"langchain_core/__init__.py": ""})
    site.install("langgraph", {"langgraph/pregel/__init__.py": ""})
    expected = {"langchain", "langchain_core", "langgraph.pregel"}
    assert modules(site, "langchain") == modules(site, "langchain-core") == expected
