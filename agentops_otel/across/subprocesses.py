"""Programs that are started, by their environment."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace

from .. import config
from ..sessions.joining import Joining
from ..sessions.registry import Registry
from ..shield import Shield
from .way import Function, Way

_JOINING = Shield("joining the session that this program was started in")
_ADDING = Shield("taking a session along into a subprocess")


class Subprocesses(Way):
    """A program that is started in a session belongs to it, if this package is set up there.

    The variables are those of OpenTelemetry's "Environment Variables as Context Propagation Carriers". All that is
    started by `subprocess.Popen` gets them, and so what asyncio starts.
    """

    def __init__(self, registry: Registry, join: Callable[[Mapping[str, str]], Joining]) -> None:
        super().__init__(registry, {"subprocess": self._wrap_popen})
        self._join = join
        self._has_looked = False

    def install(self) -> None:
        """Also joins the session that this program was started in, once and for good."""
        super().install()
        if not self._has_looked:
            self._has_looked = True
            self._join_parent()

    def _join_parent(self) -> None:
        carrier = config.carrier()
        # Who has made something current knows better where this program belongs.
        is_free = not trace.get_current_span().get_span_context().is_valid
        if carrier and is_free and threading.current_thread() is threading.main_thread():
            with _JOINING:
                self._join(carrier).__enter__()

    def _wrap_popen(self, module: Any) -> None:
        self._wrap(module.Popen, "__init__", self._around_init)

    def _around_init(self, original: Function) -> Function:
        place = list(inspect.signature(original).parameters).index("env") - 1  # the first one is the instance

        def __init__(popen: Any, *args: Any, **kwargs: Any) -> None:
            carrier = self._carrier()
            if carrier is not None:
                with _ADDING:
                    if len(args) > place:
                        args = (*args[:place], _with_carrier(args[place], carrier), *args[place + 1 :])
                    else:
                        kwargs["env"] = _with_carrier(kwargs.get("env"), carrier)
            original(popen, *args, **kwargs)

        return __init__


def _with_carrier(env: Mapping[Any, Any] | None, carrier: Mapping[str, str]) -> Mapping[Any, Any] | None:
    """An environment for a child, with a carrier; untouched if it has one already that was not just inherited."""
    inherited = config.environment()
    given = inherited if env is None else {os.fsdecode(name): value for name, value in env.items()}
    if any(os.fsdecode(given[name]) != inherited.get(name) for name in config.CARRIER if name in given):
        return env
    rest = {name: value for name, value in given.items() if name not in config.CARRIER}
    return {**rest, **{name.upper(): value for name, value in carrier.items()}}
