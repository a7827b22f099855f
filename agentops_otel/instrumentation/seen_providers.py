"""TracerProviders that the program makes known after it was instrumented, as soon as it does."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace

from ..across.way import Function, Way
from ..runtime import is_sdk, runtime
from ..shield import Shield

_SEEING = Shield("attaching to a TracerProvider that was set up")


class SeenProviders(Way):
    """Attaches to providers that become global, or that an instrumentor is given.

    Not to every one that is made: what a library traces privately, for itself, is no part of the user's sessions, and
    must not learn their ids.
    """

    def __init__(self) -> None:
        super().__init__(
            runtime.registry,
            {
                "opentelemetry.trace": self._wrap_api,
                "opentelemetry.instrumentation.instrumentor": self._wrap_instrumentor,
                "logfire": self._wrap_logfire,
            },
        )

    def _wrap_api(self, api: Any) -> None:
        self._wrap(api, "set_tracer_provider", self._then_look)

    def _wrap_instrumentor(self, module: Any) -> None:
        self._wrap(module.BaseInstrumentor, "instrument", self._around_instrument)

    def _wrap_logfire(self, logfire: Any) -> None:
        # Its global provider stays, but each time it is configured there is another one behind that, with processors
        # of its own; and then an exit callback that ends every open span. Ours has to come before it.
        self._wrap(logfire, "configure", self._then_look)

    def _then_look(self, original: Function) -> Function:
        def function(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            self._see(trace.get_tracer_provider())
            return made

        return function

    def _around_instrument(self, original: Function) -> Function:
        def instrument(*args: Any, **kwargs: Any) -> Any:
            self._see(kwargs.get("tracer_provider"))
            return original(*args, **kwargs)

        return instrument

    def _see(self, provider: Any) -> None:
        with _SEEING:
            if self._is_on and is_sdk(provider):
                runtime.install(provider)
