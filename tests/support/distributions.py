"""Installed distributions that exist for one test: libraries, and instrumentations of them by several vendors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

INSTRUMENTOR = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
{imports}

class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ()

    def _instrument(self, **kwargs):
        print("{says}", *sorted(kwargs), flush=True)
        {instrument}

    def _uninstrument(self, **kwargs):
        pass
"""


class Site:
    """A directory of distributions, to stand on PYTHONPATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to have them installed."""
        paths = [str(self.directory), os.environ.get("AGENTOPS_TEST_PYTHONPATH", "")]
        return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ""}

    def install(
        self,
        name: str,
        files: Mapping[str, str],
        *,
        version: str = "1.0",
        entry_points: Mapping[str, Iterable[str]] | None = None,
        requires: Iterable[str] = (),
        extras: Iterable[str] = (),
        record: bool = True,
    ) -> None:
        """Installs a distribution of these files, with a line of ``entry_points`` for each by group."""
        info = self.directory / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        metadata += [f"Requires-Dist: {line}" for line in requires] + [f"Provides-Extra: {extra}" for extra in extras]
        written = {
            **files,
            f"{info.name}/METADATA": "\n".join(metadata) + "\n",
            f"{info.name}/entry_points.txt": "".join(
                f"[{group}]\n" + "".join(f"{line}\n" for line in lines) for group, lines in (entry_points or {}).items()
            ),
        }
        if record:
            written[f"{info.name}/RECORD"] = "".join(f"{path},,\n" for path in [*written, f"{info.name}/RECORD"])
        for path, text in written.items():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text(text)

    def library(self, module: str = "fakelib", *, version: str = "1.0", source: str = "") -> None:
        """Installs a library: a package with a submodule, by the same name as a distribution."""
        source = source or f"def call():\n    return '{module}'\n"
        self.install(module, {f"{module}/__init__.py": source, f"{module}/part.py": ""}, version=version)

    def instrumentation(
        self,
        name: str,
        entry_point: str,
        libraries: Iterable[str] = (),
        *,
        module: str | None = None,
        imports: str = "",
        instrument: str = "",
        extra: str = "instruments",
        source: str | None = None,
        attribute: str = "Instrumentor",
    ) -> None:
        """Installs an instrumentation that says so when it instruments, or with any other source."""
        module = module or name.replace("-", "_")
        path = f"{module.replace('.', '/')}/__init__.py"
        text = INSTRUMENTOR.format(says=f"instrumented by {name}", imports=imports, instrument=instrument or "pass")
        self.install(
            name,
            {path: text if source is None else source} if source != "missing" else {},
            entry_points={"opentelemetry_instrumentor": [f"{entry_point} = {module}:{attribute}"]},
            requires=[f'{library}; extra == "{extra}"' for library in libraries],
            extras=[extra],
        )
