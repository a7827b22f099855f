"""The decision at the start of a session: sampled, or recorded until its end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import INVALID_SPAN, Link, SpanKind, TraceFlags
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

from ..runtime import runtime
from ..sessions import arguments
from ..sessions.context import SPAN_KEY
from ..sessions.record import Record
from .waiting import REMEMBERED

_OUTSIDE_SESSIONS = ParentBased(ALWAYS_ON)


class SessionSampler(Sampler):
    """Samples a ratio of the sessions and has the others recorded all the same, for `KeepSessions` to decide on.

    The sessions within the ratio are those that `TraceIdRatioBased` samples, so services that use it agree. The spans
    of the others are recorded without the sampled flag: services downstream that honour the flag do not record what
    will most likely be dropped, and exporting span processors ignore them.

    A session is decided on in the process that started it. What other processes (forked ones too) do in it follows
    the flag, and so does what is in no session.

    Args:
        ratio: which part of the sessions to sample, between 0 and 1.
        other: the sampler for spans that are in no session of this process; default ``ParentBased(ALWAYS_ON)``.

    Thread-safe. Raises TypeError or ValueError for arguments that make no sense.
    """

    def __init__(self, ratio: float, other: Sampler = _OUTSIDE_SESSIONS) -> None:
        checked = arguments.number("ratio", ratio)
        if not 0 <= checked <= 1:
            raise ValueError("ratio must be between 0 and 1")
        self._sampled = TraceIdRatioBased(checked)
        self._other: Sampler = arguments.instance_with("other", other, "should_sample", "get_description")
        self._open, self._over = runtime.registry.lookups()
        self._recorded: OrderedDict[int, None] = OrderedDict()
        """Trace ids of the latest sessions that are not sampled: a score, or a task that was left behind, may come
        when the registry has forgotten the session."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        around = get_current() if parent_context is None else parent_context
        parent: Any = around.get(SPAN_KEY, INVALID_SPAN)
        if type(parent) is Record and parent.span is None:  # what starts is its root
            if self._sampled.should_sample(None, trace_id, name).decision is Decision.RECORD_AND_SAMPLE:
                return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
            self._recorded[trace_id] = None
            if len(self._recorded) > REMEMBERED:
                self._recorded.popitem(last=False)
            return SamplingResult(Decision.RECORD_ONLY, attributes)
        record = self._open(trace_id) or self._over(trace_id)
        if record is None and trace_id in self._recorded:
            decision = Decision.RECORD_ONLY
        elif record is not None and record.is_owned:
            is_sampled = record.lasting_context.trace_flags & TraceFlags.SAMPLED
            decision = Decision.RECORD_AND_SAMPLE if is_sampled else Decision.RECORD_ONLY
        else:
            return self._other.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        return SamplingResult(decision, attributes, parent.get_span_context().trace_state)

    def get_description(self) -> str:
        return f"SessionSampler{{{self._sampled.rate},other:{self._other.get_description()}}}"
