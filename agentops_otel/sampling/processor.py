"""The decision at the end of a session: kept, or dropped."""

from __future__ import annotations

import os
from time import monotonic

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import TraceFlags

from ..runtime import runtime
from ..sessions import arguments
from ..sessions.context import SPAN_KEY
from ..sessions.record import Record
from ..shield import absorb
from .policy import Policy
from .waiting import Waiting

_SAMPLED = TraceFlags.SAMPLED


class KeepSessions(SpanProcessor):
    """Holds the spans of sessions that `SessionSampler` did not sample back, and keeps the interesting ones.

    When the root of such a session ends, all of its spans go to the span processor that is wrapped, with the sampled
    flag set, or none of them. A span with an error decides at once. What ends later follows the decision. Spans
    outside of sessions, and those of sampled sessions, are passed on as they are.

    Nothing waits on the network here: what is kept is handed on by a thread of its own. What nobody has decided on
    when the provider shuts down is kept.

    Args:
        processor: the span processor that exports, as a `BatchSpanProcessor`.
        errors: keep sessions with end state error, or with any span whose status is ERROR.
        abnormal: keep sessions with another end reason than completed.
        slower_than: keep sessions that lasted longer, in seconds.
        costlier_than: keep sessions that cost more, in US dollars (``agentops.session.cost``).
        more_tokens_than: keep sessions that used more input and output tokens together.
        max_spans: how many ended spans may wait here, of all sessions together. When there are more, the sessions
            with most of them are kept from there on. That is said once on the log, and counted in `kept_early`; so
            is a loss of spans where the processor does not keep up, in `lost`.

    Thread-safe. Raises TypeError or ValueError for arguments that make no sense.
    """

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        errors: bool = True,
        abnormal: bool = True,
        slower_than: float | None = None,
        costlier_than: float | None = None,
        more_tokens_than: float | None = None,
        max_spans: int = 10_000,
    ) -> None:
        self._processor: SpanProcessor = arguments.instance_with(
            "processor", processor, "on_start", "on_end", "force_flush", "shutdown"
        )
        self._policy = Policy(
            errors=arguments.boolean("errors", errors),
            abnormal=arguments.boolean("abnormal", abnormal),
            slower_than=None if slower_than is None else arguments.seconds("slower_than", slower_than, zero=True),
            costlier_than=None if costlier_than is None else _limit("costlier_than", costlier_than),
            more_tokens_than=None if more_tokens_than is None else _limit("more_tokens_than", more_tokens_than),
        )
        if isinstance(max_spans, bool) or not isinstance(max_spans, int):
            raise TypeError(f"max_spans must be an int, not {type(max_spans).__name__}")
        if max_spans < 1:
            raise ValueError("max_spans must be positive")
        self._max_spans = max_spans
        self._waiting: dict[int, Waiting] = {}
        """By process id: in a forked child what was inherited belongs to the parent."""

    @property
    def kept_early(self) -> int:
        """How many sessions were kept, in this process, because more than ``max_spans`` spans waited."""
        return self._here().kept_early

    @property
    def lost(self) -> int:
        """How many spans were lost, in this process, because the exporting span processor did not keep up."""
        return self._here().lost

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        try:
            trace_id, span_id, _, flags, *_ = span.context
            if not flags & _SAMPLED and parent_context is not None:
                record = parent_context.get(SPAN_KEY)
                # Born already where the session span processor comes before this one.
                if type(record) is Record and (record.span is None or record.span is span):
                    self._here().begin(trace_id, span_id)
            self._processor.on_start(span, parent_context)
        except Exception as error:  # noqa: BLE001
            absorb("seeing a span start, to sample its session", error)

    def _on_ending(self, span: SdkSpan) -> None:
        self._processor._on_ending(span)

    def on_end(self, span: ReadableSpan) -> None:
        try:
            trace_id, span_id, _, flags, *_ = span.context
            if flags & _SAMPLED:
                self._processor.on_end(span)
                return
            waiting = self._here()
            root_id = waiting.root_of(trace_id)
            if root_id is None:
                self._processor.on_end(span)
            elif span_id == root_id:
                waiting.decide(trace_id, self._policy.wants(span))
                waiting.add(trace_id, span)
                waiting.root_ended(trace_id)
            else:
                if self._policy.wants_session_of(span):
                    waiting.decide(trace_id, True)
                waiting.add(trace_id, span)
        except Exception as error:  # noqa: BLE001
            absorb("seeing a span end, to sample its session", error)

    def shutdown(self) -> None:
        self._here().close(runtime.settings.exit_timeout)
        self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        deadline = monotonic() + timeout_millis / 1000
        if not self._here().settle(timeout_millis / 1000):
            return False
        return self._processor.force_flush(max(0, int((deadline - monotonic()) * 1000)))

    def _here(self) -> Waiting:
        process = os.getpid()
        waiting = self._waiting.get(process)
        if waiting is None:
            waiting = self._waiting.setdefault(process, Waiting(self._processor, self._max_spans))
        return waiting


def _limit(argument: str, value: float) -> float:
    limit = arguments.number(argument, value)
    if limit < 0:
        raise ValueError(f"{argument} must not be negative")
    return limit
