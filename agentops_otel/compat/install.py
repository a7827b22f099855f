"""Serves ``import agentops``, to code that cannot be changed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType
from typing import Any

from . import span_names as names_of_spans

VERSION = "0.4.21"
"""The release of the AgentOps SDK whose names these are, which programs are told if they ask."""

PACKAGE = "agentops"
_OF_ALL = DistributionFinder.Context()
SERVED = {
    "agentops": "agentops_otel.compat",
    "agentops.agent": ".legacy",
    "agentops.client": ".client",
    "agentops.client.client": ".client",
    "agentops.decorators": ".legacy",
    "agentops.enums": ".states",
    "agentops.event": ".events",
    "agentops.integration": "",
    "agentops.integration.callbacks": "",
    "agentops.integration.callbacks.langchain": "",
    "agentops.langchain_callback_handler": "",
    "agentops.legacy": ".legacy",
    "agentops.legacy.event": ".events",
    "agentops.partners": "",
    "agentops.partners.langchain_callback_handler": "",
    "agentops.sdk": ".decorators",
    "agentops.sdk.core": ".traces",
    "agentops.sdk.decorators": ".decorators",
    "agentops.semconv": ".semconv",
    "agentops.semconv.agent": ".semconv",
    "agentops.semconv.core": ".semconv",
    "agentops.semconv.span_attributes": ".semconv",
    "agentops.semconv.span_kinds": ".semconv",
    "agentops.semconv.tool": ".semconv",
    "agentops.semconv.workflow": ".semconv",
    "agentops.session": ".legacy",
    "agentops.validation": ".validation",
}
"""Its modules that programs import, parents first, and what is in them; of those with nothing, what needs LangChain."""


class _Module(ModuleType):
    """A module that is served here."""


def install(*, span_names: str | None = None) -> None:
    """Makes ``import agentops`` give the names of this package, in this process and from now on.

    Its submodules that programs import are there too, `importlib.util.find_spec` finds it, and
    `importlib.metadata.version` knows a version. May be called again.

    Args:
        span_names: as for `init`.

    Raises RuntimeError if the real package was imported before: call this first.
    """
    there = sys.modules.get(PACKAGE)
    if there is not None and not isinstance(there, _Module):
        raise RuntimeError(
            f"the package agentops is imported already, from {getattr(there, '__file__', None)}; "
            "call agentops_otel.compat.install() before the first `import agentops`"
        )
    names_of_spans.choose(span_names)
    if there is None:
        sys.modules.update({name: _module(name, source) for name, source in SERVED.items()})
        for name in SERVED:
            parent, _, last = name.rpartition(".")
            # `agentops.session` is the decorator, so what has a name of its own keeps it.
            if parent and not hasattr(sys.modules[parent], last):
                setattr(sys.modules[parent], last, sys.modules[name])
        sys.meta_path.append(_Metadata)


def _module(name: str, source: str) -> ModuleType:
    found = importlib.import_module(source or "agentops_otel.compat", __package__)
    module = _Module(name, f"`{found.__name__}`, as the AgentOps SDK calls it.")
    module.__spec__ = ModuleSpec(name, None, origin=found.__file__, is_package=True)
    module.__path__ = []  # there are no others: importing one is a ModuleNotFoundError
    module.__package__ = name
    module.__file__ = found.__file__
    for public in (getattr(found, "__all__", None) or _own_names(found)) if source else ():
        setattr(module, public, getattr(found, public))
    if hasattr(found, "__getattr__"):
        vars(module)["__getattr__"] = found.__getattr__
    return module


def _own_names(module: ModuleType) -> list[str]:
    """What is public in a module and not imported there."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", module.__name__) == module.__name__
    ]


class _Distribution(Distribution):
    """What there is to know of the package, had it been installed."""

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(path)


class _Metadata:
    """A finder of distributions, and of nothing else: who asks for the version of the package gets one.

    The last one, so that of an installed package its own is found.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        return None

    @staticmethod
    def find_distributions(context: DistributionFinder.Context = _OF_ALL) -> Iterator[Distribution]:
        if context.name == PACKAGE:
            yield _Distribution()
