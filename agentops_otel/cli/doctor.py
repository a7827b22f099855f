"""What `agentops-otel doctor` found, on a terminal and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..instrumentation.decisions import Decision, When
from .examine import Report
from .text import clean

_NOTHING = "none"


def document(report: Report) -> dict[str, Any]:
    """The report, as JSON has it."""
    return {
        "versions": report.versions,
        "distro": report.distro,
        "configurator": report.configurator,
        "instrumentations": [
            {
                "name": decision.name,
                "entry_point": decision.value,
                "distribution": decision.distribution,
                "loaded": decision.when.value,
                "modules": sorted(decision.modules),
                "reason": decision.reason.value if decision.reason else None,
                "detail": decision.detail,
            }
            for decision in report.instrumentations
        ],
        "settings": [
            {"name": setting.name, "value": setting.value, "source": setting.source} for setting in report.settings
        ],
        "problems": report.problems,
    }


def show(report: Report, screen: Console) -> None:
    """Prints the report."""
    found = [f"{name} {version}" for name, version in report.versions.items() if version]
    _section(screen, "Installed", _table([[clean(text)] for text in found]))
    chosen = [["distro", report.distro or _NOTHING], ["configurator", report.configurator or _NOTHING]]
    _section(screen, "Set up by", _table(chosen))
    rows = [[decision.name, decision.distribution, _fate(decision)] for decision in report.instrumentations]
    _section(screen, "Instrumentations", _table(rows))
    _section(screen, "Settings", _table([[s.name, s.value or _NOTHING, s.source] for s in report.settings]))
    problems = [[problem] for problem in report.problems] or [["Nothing is wrong."]]
    _section(screen, "Problems", _table(problems))


def _fate(decision: Decision) -> str:
    if decision.when is When.NEVER:
        reason = decision.reason.value if decision.reason else ""
        return f"skipped, {reason}: {decision.detail}"
    if decision.when is When.WAITS:
        return f"waits for an import of {_or(decision.modules)}"
    return f"at once{': ' + decision.detail if decision.detail else ''}"


def _or(modules: frozenset[str]) -> str:
    """Modules by name, but those of a namespace, which may be dozens, together."""
    names = sorted({f"{module.rpartition('.')[0]}.*" if "." in module else module for module in modules})
    return " or ".join(names)


def _section(screen: Console, title: str, table: Table) -> None:
    screen.print(Text(title, style="bold"))
    screen.print(table)
    screen.print()


def _table(rows: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=True, show_header=False)
    for _ in rows[0] if rows else ():
        table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    return table
