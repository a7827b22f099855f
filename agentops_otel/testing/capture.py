"""Capturing what the sessions of one test write."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from .. import shield
from ..runtime import runtime
from ..sessions import ids as session_ids
from . import fake_clock
from .captured import CapturedSession, sessions_in
from .fake_clock import START, SessionClock
from .ids import CountingIds
from .isolation import isolated, replaced, set_globally, settle
from .providers import CapturingLoggerProvider, CapturingTracerProvider


class CapturedSessions:
    """What has been written since the capture began. Made by `capture_sessions`. Thread-safe, but for `use_clock`.

    It can be read while the capture lasts and afterwards.
    """

    def __init__(self, sampler: Sampler, processors: Iterable[SpanProcessor], undo: ExitStack) -> None:
        self.ids = CountingIds()
        self.tracer_provider = CapturingTracerProvider(sampler, self.ids)
        """For instrumentations and tracers of the test's own."""
        self.logger_provider = CapturingLoggerProvider()
        """The same for log records."""
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        for processor in (SimpleSpanProcessor(self._spans), *processors):
            self.tracer_provider.add_span_processor(processor)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self._undo = undo
        self._clock: SessionClock | None = None

    @property
    def sessions(self) -> list[CapturedSession]:
        """The sessions that have ended, in the order of their starts."""
        return sessions_in(self.spans, self.logs)

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans that have ended, in the order of their ends, as the SDK exports them."""
        settle()
        return list(self._spans.get_finished_spans())

    @property
    def logs(self) -> list[ReadableLogRecord]:
        """All log records, as the SDK exports them."""
        settle()
        return list(self._logs.get_finished_logs())

    def only(self, name: str | None = None) -> CapturedSession:
        """The one session that has ended (of this name); an AssertionError that shows what there is if not one has."""
        __tracebackhide__ = True  # of pytest
        found = [session for session in self.sessions if name in (None, session.name)]
        if len(found) != 1:
            named = "" if name is None else f" named {name!r}"
            raise AssertionError(f"{len(found)} sessions{named} have ended\n{self}")
        return found[0]

    def use_clock(self, start: float = START) -> SessionClock:
        """From now on time stands still until the test advances it.

        To be called before the first session of the test. ``start`` is in seconds since the epoch. Called again it
        returns the clock that is in use. RuntimeError when the capture is over.
        """
        if self.tracer_provider.is_over:
            raise RuntimeError("the capture is over")
        if self._clock is None:
            self._clock = SessionClock(start)
            self._undo.enter_context(fake_clock.in_use(self._clock))
        return self._clock

    def __str__(self) -> str:
        trees = [str(session) for session in self.sessions]
        still_open = [f"{record} is open" for record in runtime.registry.open_records()]
        return "\n".join([*trees, *still_open]) or "no session"


@contextmanager
def capture_sessions(
    *, everywhere: bool = True, sampler: Sampler = ALWAYS_ON, processors: Iterable[SpanProcessor] = ()
) -> Iterator[CapturedSessions]:
    """Captures what sessions write in a block, and leaves no trace of it in the process.

    All ids count up from 1. The package's own mistakes, which it keeps away from programs, are raised. A session that
    is open at the end of the block ends as unknown/provider_shutdown. Captures may be nested, but a capture is of the
    whole process: not for tests that run in threads side by side.

    Args:
        everywhere: make the capturing providers the global ones too, for code that calls `trace.get_tracer`. It takes
            the place of a provider that is set; but a tracer that some code got from that one goes on writing there.
        sampler: which spans are captured; default: all.
        processors: more span processors, after the one that captures.
    """
    with ExitStack() as undo:
        captured = CapturedSessions(sampler, processors, undo)

        def use() -> None:
            # Signals belong to the test runner.
            runtime.settings = dataclasses.replace(runtime.settings, signals=False)
            runtime.use(captured.tracer_provider)

        with ExitStack() as stack:
            stack.enter_context(replaced(shield, reraise=True))
            stack.enter_context(replaced(session_ids, new_id=captured.ids.session_id))
            if everywhere:
                stack.enter_context(set_globally(captured.tracer_provider, captured.logger_provider))
            stack.enter_context(isolated(use))
            try:
                yield captured
            finally:
                captured.tracer_provider.close()
                captured.logger_provider.close()
