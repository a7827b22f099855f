"""`multiprocessing.Process`, whatever its start method."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..sessions.joining import Joining
from ..sessions.registry import Registry
from ..shield import Shield
from .way import Function, Way

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_JOINING = Shield("joining the session that this process was started in")

_CARRIER = "_agentops_otel_carrier"
"""Attribute of a process object: plain strings, which a child can unpickle without this package."""


class Processes(Way):
    """A process that is started in a session belongs to it, as a child of the span that is current at its start.

    The process object takes the carrier to the child. There it is joined in the main thread, for good: before the
    process runs, or, where OpenTelemetry is set up only in what it runs, at the set-up.
    """

    def __init__(self, registry: Registry, join: Callable[[Mapping[str, str]], Joining]) -> None:
        super().__init__(registry, {"multiprocessing.process": self._wrap_process})
        self._join = join

    def _wrap_process(self, module: Any) -> None:
        self._wrap(module.BaseProcess, "start", self._around_start)
        # Private, and the one thing that all start methods have in common in the child.
        self._wrap(module.BaseProcess, "_bootstrap", self._around_bootstrap)
        self._join_parent(module.current_process())

    def _around_start(self, original: Function) -> Function:
        def start(process: BaseProcess) -> None:
            carrier = self._carrier()
            if carrier is None:
                original(process)
                return
            vars(process)[_CARRIER] = carrier
            try:
                original(process)
            finally:
                vars(process).pop(_CARRIER, None)

        return start

    def _around_bootstrap(self, original: Function) -> Function:
        def _bootstrap(process: BaseProcess, *args: Any, **kwargs: Any) -> Any:
            self._join_parent(process)
            return original(process, *args, **kwargs)

        return _bootstrap

    def _join_parent(self, process: BaseProcess) -> None:
        if self._is_on and threading.current_thread() is threading.main_thread():
            with _JOINING:
                carrier = vars(process).pop(_CARRIER, None)
                if carrier is not None:
                    joining = self._join(carrier)  # from here on the end of this process is looked after
                    if carrier != self._carrier():  # a forked child is there already
                        joining.__enter__()
