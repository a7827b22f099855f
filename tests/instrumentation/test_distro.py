"""The distro: instrumentations that are really installed, and programs under `opentelemetry-instrument`."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from support.distributions import Site
from support.otlp import Receiver
from support.programs import Outcome, run

pytestmark = pytest.mark.skipif(
    "agentops" not in [found.name for found in entry_points(group="opentelemetry_distro")],
    reason="needs the entry points of the installed package",
)

QUIET = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
WRAP = """
from opentelemetry import trace
from wrapt import wrap_function_wrapper
import fakelib.part
"""
WITH_A_SPAN = """
        def around(wrapped, instance, args, kwargs):
            with trace.get_tracer("fakelib").start_as_current_span("call of fakelib"):
                return wrapped(*args, **kwargs)
        wrap_function_wrapper("fakelib", "call", around)
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def instrumented(site: Site, code: str, *, distro: str | None = "agentops", **env: str) -> Outcome:
    """Runs code under `opentelemetry-instrument`; ``distro="none"`` is none at all: instrumentations load at once."""
    chosen = {} if distro is None else {"OTEL_PYTHON_DISTRO": distro}
    command: list[str | Path] = [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, "-c", code]
    outcome = run(command, QUIET | site.environment | chosen | env)
    assert outcome.returncode == 0, outcome.stderr
    return outcome


def lines_of(outcome: Outcome, word: str) -> list[str]:
    return [line for line in outcome.stderr.splitlines() if word in line]


# -- when -----------------------------------------------------------------------------------------------------


def test_a_program_that_imports_no_library_loads_none(site: Site) -> None:
    names = ["one", "two", "three", "four"]
    for name in names:
        site.library(f"lib_{name}")
        site.instrumentation(f"vendor-{name}", name, [f"lib-{name}"], imports=f"import lib_{name}")
    code = "import sys; print([name for name in sys.modules if name.startswith(('lib_', 'vendor_'))])"
    assert instrumented(site, code).stdout == "[]\n"
    at_once = instrumented(site, code, distro="none")
    assert [line for line in at_once.stdout.splitlines() if "instrumented" in line] != []


def test_it_is_loaded_before_the_import_of_its_library_is_through(site: Site, receiver: Receiver) -> None:
    site.library()
    site.instrumentation("vendor", "fakelib", ["fakelib"], imports=WRAP, instrument=WITH_A_SPAN)
    code = "from fakelib import call\nprint(call())"
    env = receiver.environment() | {"OTEL_TRACES_EXPORTER": "otlp_proto_http"}
    assert instrumented(site, code, **env).stdout == "instrumented by vendor\nfakelib\n"
    receiver.wait_for(lambda received: received.spans)
    assert [span.name for span in receiver.spans] == ["call of fakelib"]


def test_a_submodule_is_an_import_of_the_library(site: Site) -> None:
    site.library()
    site.instrumentation("vendor", "fakelib", ["fakelib"], imports="import fakelib")
    assert instrumented(site, "import fakelib.part; print('program')").stdout == "instrumented by vendor\nprogram\n"


def test_without_a_library_it_is_loaded_at_once(site: Site) -> None:
    site.instrumentation("vendor", "fakelib")
    assert instrumented(site, "print('program')").stdout == "instrumented by vendor\nprogram\n"


def test_where_the_library_is_there_already_it_is_loaded_at_once(site: Site) -> None:
    site.library()
    site.instrumentation("vendor", "fakelib", ["fakelib"])
    site.install(
        "early",
        {"early.py": "import fakelib\ndef hook(): pass\n"},
        entry_points={"opentelemetry_pre_instrument": ["early = early:hook"]},
    )
    assert instrumented(site, "print('program')").stdout == "instrumented by vendor\nprogram\n"


def test_what_another_one_has_imported_is_there(site: Site) -> None:
    """Decided when nothing was imported, but its turn comes after one that needs the library at once."""
    site.library()
    for name in ("a", "b", "c"):
        site.instrumentation(f"waits-{name}", f"fakelib-{name}", ["fakelib"])
        site.instrumentation(f"now-{name}", f"now-{name}", imports="import fakelib")
    said = instrumented(site, "print('program')").stdout.splitlines()
    assert sorted(said[:-1]) == sorted(
        f"instrumented by {when}-{name}" for when in ("now", "waits") for name in ("a", "b", "c")
    )
    assert said[-1] == "program"


def test_any_of_several_libraries(site: Site) -> None:
    for name in ("first", "second"):
        site.library(name)
    site.instrumentation("vendor", "either", ["first", "second", "third"], extra="instruments-any")
    for name in ("first", "second"):
        assert instrumented(site, f"import {name}").stdout == "instrumented by vendor\n"
    assert instrumented(site, "import first, second").stdout == "instrumented by vendor\n"


def test_of_one_library_the_order_is_that_of_opentelemetry(site: Site) -> None:
    site.library()
    for name in ("e", "a", "d", "b", "c"):
        site.instrumentation(f"vendor-{name}", f"fakelib-{name}", ["fakelib"], imports="import fakelib")
    expected = instrumented(site, "import fakelib", distro="none").stdout
    assert len(expected.splitlines()) == 5
    assert instrumented(site, "import fakelib").stdout == expected


def test_in_many_threads_it_is_loaded_once(site: Site) -> None:
    site.library()
    site.instrumentation("vendor", "fakelib", ["fakelib"], imports="import fakelib.part")
    code = """
import threading
barrier = threading.Barrier(8)
def use():
    barrier.wait()
    import fakelib
    seen.append(fakelib.call())
seen = []
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(seen))
"""
    assert instrumented(site, code).stdout == "instrumented by vendor\n8\n"


# -- in the middle of imports -----------------------------------------------------------------------------------


def test_one_that_the_program_imports_itself(site: Site) -> None:
    """Its import brings the library in, while the instrumentation is only half there."""
    site.library()
    site.instrumentation("vendor", "fakelib", ["fakelib"], imports="import fakelib")
    code = "from vendor import Instrumentor\nprint(Instrumentor().is_instrumented_by_opentelemetry)"
    outcome = instrumented(site, code)
    assert (outcome.stdout, outcome.stderr) == ("instrumented by vendor\nTrue\n", "")


@pytest.mark.parametrize("first", ["langgraph.pregel", "langgraph.types", "langchain_core", "langchain"])
def test_what_it_wraps_is_whole(site: Site, first: str) -> None:
    """It is for `langchain`, but wraps functions of what that is made of: a namespace and another distribution."""
    site.install("langchain", {"langchain/__init__.py": "import langchain_core\n"})
    site.install("langchain-core", {"langchain_core/__init__.py": ""})
    site.install(
        "langgraph",
        {
            "langgraph/types.py": "",
            "langgraph/pregel/__init__.py": "import langgraph.types, langchain_core\nclass Pregel: pass\n",
        },
    )
    official = "opentelemetry-instrumentation-genai-langchain"
    site.instrumentation(
        official, "langchain", ["langchain"], instrument="from langgraph.pregel import Pregel; Pregel.wrapped = True"
    )
    code = f"import {first}, langgraph.pregel\nprint(langgraph.pregel.Pregel.wrapped)"
    outcome = instrumented(site, code)
    assert (outcome.stdout, outcome.stderr) == (f"instrumented by {official}\nTrue\n", "")


def test_one_library_imports_another(site: Site) -> None:
    site.library("inner")
    site.library("outer", source="import inner\n")
    for name in ("inner", "outer"):
        site.instrumentation(f"vendor-{name}", name, [name], imports=f"import {name}")
    assert instrumented(site, "import outer").stdout == "instrumented by vendor-inner\ninstrumented by vendor-outer\n"


def test_an_instrumentation_imports_another_library(site: Site) -> None:
    for name in ("one", "two"):
        site.library(name)
    site.instrumentation("vendor-one", "one", ["one"], imports="import two")
    site.instrumentation("vendor-two", "two", ["two"], imports="import one")
    expected = ["instrumented by vendor-one", "instrumented by vendor-two"]
    for name in ("one", "two"):
        outcome = instrumented(site, f"import {name}")
        assert (sorted(outcome.stdout.splitlines()), outcome.stderr) == (expected, "")


def test_a_library_that_cannot_be_imported_says_so_itself(site: Site) -> None:
    site.library(source="raise ImportError('no such luck')\n")
    site.instrumentation("vendor", "fakelib", ["fakelib"])
    code = "try:\n    import fakelib\nexcept ImportError as error:\n    print(error)"
    outcome = instrumented(site, code)
    assert (outcome.stdout, outcome.stderr) == ("no such luck\n", "")


# -- what is left out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disabled", ["fakelib", "other, fakelib", "*"])
def test_a_disabled_one(site: Site, disabled: str) -> None:
    site.library()
    site.instrumentation("vendor", "fakelib", ["fakelib"])
    outcome = instrumented(site, "import fakelib", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled)
    assert (outcome.stdout, lines_of(outcome, "fakelib")) == ("", [])


@pytest.mark.parametrize(("version", "said"), [("0.9", 1), ("2.0", 1), ("1.5", 0)])
def test_a_library_too_old_or_too_new_costs_a_line(site: Site, version: str, said: int) -> None:
    site.library(version=version)
    site.instrumentation("vendor", "fakelib", ["fakelib>=1,<2"])
    outcome = instrumented(site, "import fakelib; print(fakelib.call())")
    assert outcome.stdout.endswith("fakelib\n")
    assert outcome.stdout.count("instrumented") == 1 - said
    assert len(outcome.stderr.splitlines()) == len(lines_of(outcome, f"fakelib {version}")) == said


def test_a_library_that_is_missing_costs_nothing(site: Site) -> None:
    site.instrumentation("vendor", "fakelib", ["fakelib"])
    outcome = instrumented(site, "pass")
    assert (outcome.stdout, outcome.stderr) == ("", "")


@pytest.mark.parametrize("libraries", [[], ["fakelib"]], ids=["at once", "waits"])
@pytest.mark.parametrize(
    ("source", "attribute", "expected"),
    [
        ("missing", "Instrumentor", "No module named 'vendor'"),
        ("", "Instrumentor", "no attribute 'Instrumentor'"),
        ("import nowhere", "Instrumentor", "No module named 'nowhere'"),
    ],
)
def test_one_that_cannot_be_imported_costs_a_line(
    site: Site, libraries: list[str], source: str, attribute: str, expected: str
) -> None:
    site.library()
    site.instrumentation("vendor", "fakelib", libraries, source=source, attribute=attribute)
    site.instrumentation("vendor-z", "z", libraries)
    outcome = instrumented(site, "import fakelib; print(fakelib.call())")
    assert outcome.stdout == "instrumented by vendor-z\nfakelib\n"
    [line] = outcome.stderr.splitlines()
    assert "the instrumentation fakelib (vendor:Instrumentor) cannot be imported" in line
    assert expected in line


@pytest.mark.parametrize("libraries", [[], ["fakelib"]], ids=["at once", "waits"])
@pytest.mark.parametrize("where", ["imports", "instrument"], ids=["when it is imported", "when it instruments"])
def test_one_that_raises_costs_itself(site: Site, libraries: list[str], where: str) -> None:
    site.library()
    site.instrumentation("vendor", "fakelib", libraries, **{where: "raise RuntimeError('of the vendor')"})
    for name in ("vendor-a", "vendor-z"):
        site.instrumentation(name, name, libraries)
    outcome = instrumented(site, "import fakelib; print(fakelib.call())")
    assert {"instrumented by vendor-a", "instrumented by vendor-z", "fakelib"} <= set(outcome.stdout.splitlines())
    assert len(lines_of(outcome, "failed while loading the instrumentation fakelib (vendor:Instrumentor)")) == 1
    assert len(lines_of(outcome, "RuntimeError: of the vendor")) == 1


def test_of_two_vendors_the_official_one_is_taken(site: Site) -> None:
    site.library()
    official = "opentelemetry-instrumentation-genai-fakelib"
    for name in ("a-vendor", official, "z-vendor"):
        site.instrumentation(name, "fakelib", ["fakelib"])
    outcome = instrumented(site, "import fakelib")
    assert outcome.stdout == f"instrumented by {official}\n"
    assert len(outcome.stderr.splitlines()) == 2
    for name in ("a-vendor", "z-vendor"):
        [line] = lines_of(outcome, f"the instrumentation fakelib of {name} 1.0 is left out: {official} 1.0")
        assert line.endswith("instruments the same library under the same name")
    assert instrumented(site, "pass").stderr == ""


def test_under_one_name_for_two_libraries_both_are_loaded(site: Site) -> None:
    for name in ("one", "two"):
        site.library(name)
        site.instrumentation(f"vendor-{name}", "shared", [name])
    outcome = instrumented(site, "import one, two")
    assert (outcome.stdout, outcome.stderr) == ("instrumented by vendor-one\ninstrumented by vendor-two\n", "")


# -- which distro ------------------------------------------------------------------------------------------------

OTHER = """
from opentelemetry.instrumentation.distro import BaseDistro
class Distro(BaseDistro):
    def _configure(self, **kwargs): pass
"""
WHICH = """
import sys
sys.path.append(sys.argv[1])  # found last
from opentelemetry.instrumentation.auto_instrumentation import _load
print(type(_load._load_distro()).__name__)
"""


def which(site: Site, **env: str) -> str:
    outcome = run(["-c", WHICH, str(site.directory)], env)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.strip()


def test_another_distro_is_not_displaced(site: Site) -> None:
    site.install("other", {"other.py": OTHER}, entry_points={"opentelemetry_distro": ["other = other:Distro"]})
    assert which(site) in ("Distro", "OpenTelemetryDistro")
    assert which(site, OTEL_PYTHON_DISTRO="other") == "Distro"
    assert which(site, OTEL_PYTHON_DISTRO="agentops") == "AgentOpsDistro"
    assert which(site, OTEL_PYTHON_DISTRO="nobody") == "DefaultDistro"


def test_where_it_is_the_only_one_it_is_taken(site: Site) -> None:
    site.directory.mkdir()
    others = [found for found in entry_points(group="opentelemetry_distro") if found.name != "agentops"]
    assert which(site) == ("OpenTelemetryDistro" if others else "AgentOpsDistro")


def test_it_has_the_defaults_of_the_stock_distro() -> None:
    code = """
import os
from agentops_otel.instrumentation.distro import AgentOpsDistro
AgentOpsDistro().configure()
print(sorted(f"{name}={text}" for name, text in os.environ.items() if "EXPORTER" in name))
"""
    outcome = run(["-c", code], {"OTEL_LOGS_EXPORTER": "none"})
    assert outcome.stdout == (
        "['OTEL_EXPORTER_OTLP_PROTOCOL=grpc', 'OTEL_LOGS_EXPORTER=none', "
        "'OTEL_METRICS_EXPORTER=otlp', 'OTEL_TRACES_EXPORTER=otlp']\n"
    )
    without_it = "import sys\nsys.modules['opentelemetry.distro'] = None" + code
    assert run(["-c", without_it], {"OTEL_LOGS_EXPORTER": "none"}).stdout == outcome.stdout
