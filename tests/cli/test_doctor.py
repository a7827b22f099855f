"""`agentops-otel doctor`: what would happen to a program, and what is wrong; nothing happens by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from support.distributions import Site
from support.otlp import Receiver
from support.programs import Outcome, run

from agentops_otel.cli.settings import shown

pytestmark = pytest.mark.skipif(
    "agentops" not in [found.name for found in entry_points(group="opentelemetry_distro")],
    reason="needs the entry points of the installed package",
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def doctor(site: Site, *options: str, env: Mapping[str, str] | None = None) -> Outcome:
    command: list[str | Path] = [Path(sys.executable).with_name("agentops-otel"), "doctor", *options]
    return run(command, site.environment | dict(env or {}))


def found(site: Site, status: int = 0, /, **env: str) -> dict[str, Any]:
    """The report, as JSON."""
    outcome = doctor(site, "--json", env=env)
    assert outcome.returncode == status, outcome.stdout + outcome.stderr
    report: dict[str, Any] = json.loads(outcome.stdout)
    assert bool(report["problems"]) == bool(status)
    return report


def of(report: dict[str, Any], distribution: str) -> dict[str, Any]:
    [one] = [each for each in report["instrumentations"] if each["distribution"] == f"{distribution} 1.0"]
    assert isinstance(one, dict)
    return one


def setting(report: dict[str, Any], name: str) -> tuple[str, str]:
    [one] = [each for each in report["settings"] if each["name"] == name]
    return one["value"], one["source"]


def test_where_all_is_well(site: Site) -> None:
    report = found(site)
    assert report["problems"] == []
    assert (report["distro"], report["configurator"]) == ("agentops", "configurator")
    assert report["versions"]["opentelemetry-api"]
    [own] = [each for each in report["instrumentations"] if each["name"] == "agentops"]
    assert own["loaded"] == "now"
    outcome = doctor(site)
    assert outcome.returncode == 0
    assert "Nothing is wrong." in outcome.stdout


def test_what_waits_and_what_does_not(site: Site) -> None:
    site.library()
    site.install("spaced", {"space/one/__init__.py": "", "space/two.py": "", "space/one/inner.py": ""})
    site.instrumentation("vendor", "fakelib", ["fakelib"], imports="import fakelib")
    site.instrumentation("vendor-spaced", "spaced", ["spaced"])
    site.instrumentation("vendor-now", "now")
    report = found(site)
    assert [of(report, "vendor")[name] for name in ("name", "loaded", "modules")] == ["fakelib", "waits", ["fakelib"]]
    assert of(report, "vendor-spaced")["modules"] == ["space.one", "space.two"]
    assert of(report, "vendor-now")["loaded"] == "now"
    outcome = doctor(site)
    assert "waits for an import of fakelib\n" in _plain(outcome.stdout)
    assert "waits for an import of space.*\n" in _plain(outcome.stdout)
    assert "instrumented" not in outcome.stdout  # it has looked, and instrumented nothing


def test_what_is_skipped_and_why(site: Site) -> None:
    for name in ("wanted", "old", "shared"):
        site.library(name)
    official = "opentelemetry-instrumentation-genai-shared"
    site.instrumentation("vendor-disabled", "off", ["wanted"])
    site.instrumentation("vendor-missing", "gone", ["nowhere>=1"])
    site.instrumentation("a-vendor", "shared", ["shared"])
    site.instrumentation(official, "shared", ["shared"])
    report = found(site, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="off")
    skipped = {
        name: (of(report, name)["loaded"], of(report, name)["reason"], of(report, name)["detail"])
        for name in ("vendor-disabled", "vendor-missing", "a-vendor")
    }
    assert skipped == {
        "vendor-disabled": ("never", "disabled", "by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"),
        "vendor-missing": ("never", "missing library", "nowhere>=1 is not installed"),
        "a-vendor": ("never", "name taken", f"{official} 1.0 instruments the same library under the same name"),
    }
    assert of(report, official)["loaded"] == "waits"
    assert "skipped, missing library: nowhere>=1 is not installed\n" in _plain(doctor(site).stdout)


def test_under_the_stock_distro_nothing_waits_and_spans_are_double(site: Site) -> None:
    site.library()
    for name in ("vendor-a", "vendor-b"):
        site.instrumentation(name, "fakelib", ["fakelib"])
    report = found(site, OTEL_PYTHON_DISTRO="distro")
    assert setting(report, "OTEL_PYTHON_DISTRO") == ("distro", "environment")
    both = [of(report, name) for name in ("vendor-a", "vendor-b")]
    assert [each["loaded"] for each in both] == ["now", "now"]
    assert sum("its spans are double" in each["detail"] for each in both) == 1


@pytest.mark.parametrize("disabled", ["agentops", "*"])
def test_without_ourselves_something_is_wrong(site: Site, disabled: str) -> None:
    [problem] = found(site, 1, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled)["problems"]
    assert "no session is recorded by itself" in problem


def test_a_version_that_does_not_fit_is_wrong(site: Site) -> None:
    site.library(version="0.9")
    site.instrumentation("vendor", "fakelib", ["fakelib>=1"])
    report = found(site, 1)
    assert report["problems"] == [
        "fakelib (vendor 1.0) is left out: it is for fakelib>=1, and fakelib 0.9 is installed"
    ]
    assert of(report, "vendor")["reason"] == "version conflict"


def test_an_entry_point_that_cannot_be_imported_is_wrong(site: Site) -> None:
    site.instrumentation("vendor", "fakelib", source="missing")
    site.instrumentation("deep", "deeplib", source="missing", module="opentelemetry.instrumentation.nowhere")
    assert sorted(found(site, 1)["problems"]) == [
        "deeplib (deep 1.0) cannot be imported: there is no module opentelemetry.instrumentation.nowhere",
        "fakelib (vendor 1.0) cannot be imported: there is no module vendor",
    ]


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED is true"),
        ({"OTEL_TRACES_EXPORTER": "none"}, "no session is exported"),
        ({"OTEL_TRACES_EXPORTER": "otlp,zipkins"}, "'zipkins', which is not installed"),
        ({"OTEL_PYTHON_DISTRO": "nobody"}, "OTEL_PYTHON_DISTRO is 'nobody', which is not installed"),
        ({"OTEL_PYTHON_CONFIGURATOR": "nobody"}, "OTEL_PYTHON_CONFIGURATOR is 'nobody'"),
        ({"OTEL_CONFIG_FILE": "/nowhere.yaml"}, "OTEL_CONFIG_FILE: "),
        ({"OTEL_PYTHON_AGENTOPS_JOURNAL": "/dev/null/journal"}, "the journal cannot be written in /dev/null/journal"),
    ],
)
def test_what_loses_data_is_wrong(site: Site, env: dict[str, str], problem: str) -> None:
    [said] = found(site, 1, **env)["problems"]
    assert problem in said
    assert said in _plain(doctor(site, env=env).stdout)


def test_where_settings_come_from(site: Site, tmp_path: Path) -> None:
    report = found(site, OTEL_PYTHON_AGENTOPS_SIGNALS="false", OTEL_EXPORTER_OTLP_ENDPOINT="http://here:4318")
    assert setting(report, "OTEL_PYTHON_AGENTOPS_SIGNALS") == ("false", "environment")
    assert setting(report, "OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT") == ("5.0", "default")
    assert setting(report, "OTEL_TRACES_EXPORTER") == ("otlp", "agentops-otel run")
    assert setting(report, "OTEL_EXPORTER_OTLP_ENDPOINT") == ("http://here:4318", "environment")

    pytest.importorskip("yaml")
    file = tmp_path / "otel.yaml"
    file.write_text("instrumentation/development: {python: {agentops: {exit_timeout: 2, signals: true}}}\n")
    report = found(site, OTEL_CONFIG_FILE=str(file), OTEL_PYTHON_AGENTOPS_SIGNALS="false")
    assert setting(report, "OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT") == ("2", f"file {file}")
    assert setting(report, "OTEL_PYTHON_AGENTOPS_SIGNALS") == ("true", f"file {file}")


def test_secrets_are_not_shown(site: Site) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-api=hunter2",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "Authorization=Bearer hunter2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:hunter2@here:4318/v1?access=hunter2",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=bot,deploy.token=hunter2",
        "OTEL_VENDOR_SIGNING_KEY": "hunter2",
        "OPENAI_API_KEY": "hunter2",
    }
    for options in ([], ["--json"]):
        outcome = doctor(site, *options, env=env)
        assert outcome.returncode == 0
        assert "hunter2" not in outcome.stdout + outcome.stderr
    report = found(site, **env)
    assert setting(report, "OTEL_RESOURCE_ATTRIBUTES")[0] == "service.name=bot,deploy.token=***"
    assert setting(report, "OTEL_EXPORTER_OTLP_ENDPOINT")[0] == "https://***@here:4318/v1?***"
    assert not [each for each in report["settings"] if each["name"] == "OPENAI_API_KEY"]


@pytest.mark.parametrize(
    "text",
    ["https://user@host", "http://a:b@host/p", "http://host/p?x=secretive", "k=v,api_key=v", "x_auth=abc def,k=v"],
)
def test_a_value_that_lets_somebody_in_is_hidden(text: str) -> None:
    assert shown("OTEL_ANYTHING", text) != text
    assert shown("OTEL_ANYTHING_PASSWORD", text) == "***"


def test_it_exports_nothing(site: Site, receiver: Receiver) -> None:
    assert doctor(site, env=receiver.environment()).returncode == 0
    assert [*receiver.spans, *receiver.logs, *receiver.metrics] == []


def _plain(text: str) -> str:
    """The lines of a table, without what fills them up."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())
