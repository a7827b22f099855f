"""Providers of one test, whose tracers and loggers outlive it.

Instrumentations are singletons and modules are imported once: both get their tracer in one test and use it in all.
So a tracer of a test that is over leads to where the API's global provider leads: in the next test to that one's.
"""

from __future__ import annotations

import weakref
from typing import Any

from opentelemetry import _logs, trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler


class CapturingTracerProvider(TracerProvider):
    """An SDK TracerProvider for the time of a test. Works also where ``OTEL_SDK_DISABLED`` is set."""

    def __init__(self, sampler: Sampler, id_generator: IdGenerator) -> None:
        self._until_over = _UntilOver()  # type: ignore[no-untyped-call]
        super().__init__(
            sampler,
            Resource.get_empty(),
            shutdown_on_exit=False,
            active_span_processor=self._until_over,
            id_generator=id_generator,
        )
        self._disabled = False

    @property
    def is_over(self) -> bool:
        return self._until_over.is_over

    def close(self) -> None:
        """The test is over."""
        self.shutdown()
        self._until_over.is_over = True

    def get_tracer(self, *arguments: Any, **named: Any) -> trace.Tracer:
        return self.own_tracer(*arguments, **named) if self.is_over else _LastingTracer(self, *arguments, **named)

    def own_tracer(self, *arguments: Any, **named: Any) -> trace.Tracer:
        """One of the SDK, which writes nowhere when the test is over."""
        return super().get_tracer(*arguments, **named)


class _UntilOver(SynchronousMultiSpanProcessor):
    """Span processors that hear of nothing once the test is over: spans of the next one have the same ids."""

    is_over = False

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        if not self.is_over:
            super().on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        if not self.is_over:
            super().on_end(span)


class _LastingTracer(trace.Tracer):
    def __init__(self, provider: CapturingTracerProvider, *arguments: Any, **named: Any) -> None:
        # Weakly, and no tracer of the SDK is kept: either would keep all that its test has captured.
        self._provider = weakref.ref(provider)
        self._arguments = arguments
        self._named = named

    def _tracer(self) -> trace.Tracer:
        provider = self._provider()
        if provider is None or provider.is_over:
            return trace.get_tracer_provider().get_tracer(*self._arguments, **self._named)
        return provider.own_tracer(*self._arguments, **self._named)

    def start_span(self, *arguments: Any, **named: Any) -> trace.Span:
        return self._tracer().start_span(*arguments, **named)

    def start_as_current_span(self, *arguments: Any, **named: Any) -> Any:
        return self._tracer().start_as_current_span(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        # What instrumentations read from a tracer of the SDK beyond the API.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._tracer(), name)


class CapturingLoggerProvider(LoggerProvider):
    """An SDK LoggerProvider for the time of a test. Works also where ``OTEL_SDK_DISABLED`` is set."""

    def __init__(self) -> None:
        super().__init__(Resource.get_empty(), shutdown_on_exit=False)
        self._disabled = False
        self.is_over = False

    def close(self) -> None:
        """The test is over."""
        self.shutdown()
        self.is_over = True

    def get_logger(self, *arguments: Any, **named: Any) -> _logs.Logger:
        return self.own_logger(*arguments, **named) if self.is_over else _LastingLogger(self, *arguments, **named)

    def own_logger(self, *arguments: Any, **named: Any) -> _logs.Logger:
        """One of the SDK, which writes nowhere when the test is over."""
        return super().get_logger(*arguments, **named)


class _LastingLogger(_logs.Logger):
    def __init__(self, provider: CapturingLoggerProvider, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._provider = weakref.ref(provider)
        self._arguments = arguments
        self._named = named

    def _logger(self) -> Any:
        provider = self._provider()
        if provider is None or provider.is_over:
            return _logs.get_logger_provider().get_logger(*self._arguments, **self._named)
        return provider.own_logger(*self._arguments, **self._named)

    def emit(self, *arguments: Any, **named: Any) -> None:
        self._logger().emit(*arguments, **named)

    def enabled(self, *arguments: Any, **named: Any) -> bool:
        return bool(self._logger().enabled(*arguments, **named))
