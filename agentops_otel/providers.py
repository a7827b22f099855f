"""The TracerProviders that sessions are started with, and what of ours is on each of them."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from . import __version__, semconv
from .exits.provider_shutdown import ProviderShutdown
from .sessions.by_identity import ByIdentity
from .sessions.source import Source
from .shield import Shield

if TYPE_CHECKING:
    from .sessions.processor import TrackingProcessor
    from .sessions.registry import Registry

_ATTACHING = Shield("attaching to the TracerProvider")


class Providers:
    """Each provider gets one source of sessions, one hook and one processor, however often it is met."""

    def __init__(
        self,
        registry: Registry,
        new_processor: Callable[[], TrackingProcessor],
        shuts_down: Callable[[Source], object],
    ) -> None:
        self._registry = registry
        self._new_processor = new_processor
        self._shuts_down = shuts_down
        self._met: ByIdentity[trace.TracerProvider, Source] = ByIdentity()
        self._hooks: ByIdentity[trace.TracerProvider, ProviderShutdown] = ByIdentity()
        self._sources: ByIdentity[trace.TracerProvider, Source] = ByIdentity()
        """Also of those that were released: they keep our processor, and open sessions their source."""
        self._processors: weakref.WeakSet[TrackingProcessor] = weakref.WeakSet()
        """Those of the user, too."""

    def __iter__(self) -> Iterator[trace.TracerProvider]:
        """Those that were met, and not released."""
        return iter(self._met)

    def get(self, provider: trace.TracerProvider) -> Source | None:
        """What sessions are started with, if the provider was met."""
        return self._met.get(provider)

    def meet(self, provider: trace.TracerProvider) -> Source:
        """Takes the hooks of a provider that was not met, or was released."""
        source = self._sources.get(provider)
        if source is None:
            self._sources[provider] = source = self._source_of(provider)
        self._met[provider] = source
        with _ATTACHING:
            self._hooks[provider] = ProviderShutdown(provider, functools.partial(self._shuts_down, source))
        self._wake()
        return source

    def keep(self, providers: Collection[trace.TracerProvider]) -> bool:
        """Forgets all other providers than these; whether any is left."""
        kept = {id(provider) for provider in providers}
        for provider in self._sources:
            if id(provider) not in kept:
                self._undo(provider)
                self._met.pop(provider)
                self._sources.pop(provider)
        return len(self._met) > 0

    def release(self) -> None:
        """Gives the hooks back. The processors stay where they are, and let every span that starts go by."""
        for provider in self._hooks:
            self._undo(provider)
        self._met.clear()
        for processor in list(self._processors):
            processor.sleep()

    def processor_added(self, processor: TrackingProcessor) -> None:
        """Somebody has made a processor."""
        self._processors.add(processor)
        self._wake()

    def processor_gone(self, processor: TrackingProcessor) -> None:
        """A processor was shut down: with its provider, or because somebody has replaced the provider's processors.

        In the latter case the next session notices that nobody has seen its root, and attaches again.
        """
        if processor.source is not None:
            processor.source.is_attached = False

    def _source_of(self, provider: trace.TracerProvider) -> Source:
        weakly = weakref.ref(provider)
        return Source(
            self._registry, provider.get_tracer(semconv.SCOPE, __version__), lambda source: self._add(weakly(), source)
        )

    def _wake(self) -> None:
        for processor in list(self._processors):
            processor.wake()

    def _undo(self, provider: trace.TracerProvider) -> None:
        hook = self._hooks.pop(provider)
        if hook is not None:
            hook.undo()

    def _add(self, provider: Any, source: Source) -> None:
        with _ATTACHING:
            if provider is not None:
                processor = self._new_processor()
                processor.source = source
                _add_beside_others(provider, processor)


def _add_beside_others(provider: Any, processor: TrackingProcessor) -> None:
    """Phoenix's providers take off the exporter that they came with when a processor is added, unless told not to."""
    parameters: Collection[str] = ()
    with suppress(TypeError, ValueError):  # not every callable has a signature
        parameters = inspect.signature(provider.add_span_processor).parameters
    if "replace_default_processor" in parameters:
        provider.add_span_processor(processor, replace_default_processor=False)
    elif getattr(provider, "_default_processor", None):  # older ones cannot be told
        from opentelemetry.sdk.trace import TracerProvider

        TracerProvider.add_span_processor(provider, processor)
    else:
        provider.add_span_processor(processor)
