"""What dead processes left is sent: by `agentops-otel recover`, and by `run` when its program has ended.

The exporters are those that the program had: the OTEL_* variables name them. Where they name none, what was started by
`agentops-otel run` goes to the store on this machine, and everything else to the default endpoint of OTLP.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from signal import Signals
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .. import semconv
from ..config import otlp_protocol_for
from ..environment_variables import OTEL_PYTHON_AGENTOPS_RUN_ID
from ..journal.places import OwnerFiles, Place
from ..journal.reader import owner_of
from ..journal.records import Owner
from ..journal.recovery import Summary, recover
from ..journal.verdicts import Verdict, Verdicts
from ..shield import Shield
from .environment import choose_exporters

_EXPORTING = Shield("exporting what a dead process left")
_MAKING = Shield("making the exporters that OTEL_TRACES_EXPORTER names")
_CLOSING = Shield("closing an exporter")

_NOBODY = Owner(0, "")


class Child(NamedTuple):
    """The program of a run, when it has ended."""

    run_id: str
    pid: int
    returncode: int
    """Its exit status, or the number of the signal that killed it, negative."""

    def known_of(self, owner: Owner) -> Mapping[str, str | int]:
        """What is known of the end of a process: nothing of those that the program itself started."""
        if owner != (self.pid, self.run_id):
            return {}
        if self.returncode < 0:
            return {semconv.EXIT_SIGNAL: _signal_name(-self.returncode)}
        return {semconv.EXIT_CODE: self.returncode}


def recover_all(directory: Path) -> list[Summary]:
    """Sends what dead processes left; tells of each that had left something."""
    with _Exporters() as exporters:
        found = [recover(files, exporters.of(owner)) for files, owner in _dead(directory)]
    return [summary for summary in found if summary.spans or summary.damaged or summary.problem]


def recover_run(directory: Path, child: Child, environment: Mapping[str, str]) -> list[Summary]:
    """Sends what the processes of a run left to where its ``environment`` says, and tells of it.

    What others left may be for another backend: that is for them.
    """
    found = []
    with _Exporters(environment) as exporters:
        for files, owner in _dead(directory):
            if owner.run_id == child.run_id:
                found.append(recover(files, exporters.of(owner), known_of=child.known_of))
            else:
                files.release()
    return found


def _dead(directory: Path) -> Iterator[tuple[OwnerFiles, Owner]]:
    for files in Place(directory).dead():
        owner = owner_of(files.segments())
        # The id becomes a variable of the environment, and files can say anything.
        yield files, owner if owner is not None and owner.run_id.isprintable() else _NOBODY


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:  # one of the real-time signals, most of which have no name
        return f"SIG{number}"


class _OwnExporter:
    """An exporter of this process, which has no sessions itself."""

    def __init__(self, exporter: SpanExporter, verdicts: Verdicts, *, quietly: bool) -> None:
        kind = type(exporter)
        self.key = f"{kind.__module__}.{kind.__qualname__}"
        self._exporter = exporter
        self._verdicts = verdicts
        self._quietly = quietly

    def send(self, spans: Sequence[ReadableSpan]) -> Verdict:
        with self._verdicts.listening(quietly=self._quietly):
            result = SpanExportResult.FAILURE
            with _EXPORTING:
                result = self._exporter.export(spans)
            return self._verdicts.of(result)

    def close(self) -> None:
        with _CLOSING:
            self._exporter.shutdown()


class _Exporters:
    """The exporters that are named in an environment, made when something is to be sent."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """``environment``: that of a run, in which they are chosen, and whose log is not ours."""
        self._environment = environment
        self._verdicts = Verdicts()
        self._run_id: str | None = None
        self._made: list[_OwnExporter] = []

    def of(self, owner: Owner) -> Sequence[_OwnExporter]:
        """Those for what one process left: each run has its own files in the store on this machine."""
        if owner.run_id != self._run_id:
            self._close()
            self._run_id = owner.run_id
            os.environ[OTEL_PYTHON_AGENTOPS_RUN_ID] = owner.run_id
            environment = _environment_of(owner) if self._environment is None else self._environment
            with _MAKING:
                self._made.extend(
                    _OwnExporter(kind(), self._verdicts, quietly=self._environment is not None)
                    for kind in _kinds(environment)
                )
        return self._made

    def __enter__(self) -> _Exporters:
        self._verdicts.install()
        return self

    def __exit__(self, *error: object) -> None:
        self._close()
        self._verdicts.uninstall()

    def _close(self) -> None:
        while self._made:
            self._made.pop().close()


def _environment_of(owner: Owner) -> Mapping[str, str]:
    environment = dict(os.environ)
    if not owner.run_id and not environment.get("OTEL_TRACES_EXPORTER"):
        environment["OTEL_TRACES_EXPORTER"] = "otlp"
    choose_exporters(environment)
    return environment


def _kinds(environment: Mapping[str, str]) -> Iterator[type[SpanExporter]]:
    for name in environment.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
        chosen = name.strip()
        if chosen == "otlp":
            protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            protocol = protocol or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
            protocol = protocol or otlp_protocol_for(environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
            chosen = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
        for entry_point in entry_points(group="opentelemetry_traces_exporter", name=chosen):
            yield entry_point.load()
            break
