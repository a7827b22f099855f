"""The span processor: where the SDK tells of spans that start and end.

`on_start` and `on_end` run for every span of the program, so they are written flat: a call that could be spared is
not made, a span context is taken apart as the tuple that it is, and what a span has is read where the SDK keeps it,
if it is there (all these properties are Python calls).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import StatusCode

from .. import semconv
from ..shield import absorb
from .adopted import AdoptedRecord
from .adoption import adopt, hint_in, is_run
from .carrier import record_in
from .context import BAGGAGE_KEY, SPAN_KEY, is_suppressed
from .record import Record
from .registry import Registry
from .sdk_spans import attributes_of, stamp
from .state import PROVIDER_SHUTDOWN
from .totals import totals_of

if TYPE_CHECKING:
    from .source import Source

_CONVERSATION_ID = semconv.GEN_AI_CONVERSATION_ID
_OPERATION = semconv.GEN_AI_OPERATION_NAME
_OPENINFERENCE_KIND = semconv.OPENINFERENCE_KIND
_ERROR = StatusCode.ERROR
_NO_STATUS = ReadableSpan("").status
"""The one object that every span has for a status until one is set."""
_NOT_THERE: Any = object()


def _ignore_start(span: SdkSpan, parent_context: Context | None = None) -> None:
    """What is left of a processor while nothing is to be tracked."""


class TrackingProcessor(SpanProcessor):
    """Tracks the open spans of sessions. Exports nothing, holds nothing back, never waits.

    More than one on a provider do no harm: a span is tracked once.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._fresh = registry.fresh
        self._open, self._over = registry.lookups()
        self.source: Source | None = None
        """Where the sessions of its provider are from, as soon as that is known."""

    def sleep(self) -> None:
        """Spans that start from now on go by untouched; what is known of others is seen to its end."""
        # On the object: what runs for every span has nothing to ask.
        self.on_start = _ignore_start  # type: ignore[method-assign]

    def wake(self) -> None:
        """Sees every span again."""
        vars(self).pop("on_start", None)

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """A span that starts in a session gets the session's ids, and is kept until it ends."""
        try:
            context: Any
            try:
                context = span._context
            except AttributeError:
                context = span.context
            trace_id, span_id = context[0], context[1]
            record = self._open(trace_id) or self._over(trace_id)
            if record is None:
                record = self._record_of_parent(span, parent_context)
                if record is None or record.span is span:
                    return
                trace_id = record.key
            spans = record.spans
            if spans is None:
                spans = record.first_span()
            # Another one of these processors has seen it, as it may have seen a root above.
            if span_id in spans or (type(record) is AdoptedRecord and record.is_root(span_id)):
                return
            spans[span_id] = span
            if trace_id not in self._fresh:
                self._registry.attend_soon(trace_id)
            attributes = stamp(span, record.session_id, record.ids)
            if _CONVERSATION_ID not in record.ids:
                if _CONVERSATION_ID in attributes:
                    self._learn(record, attributes)
                elif _OPERATION in attributes and attributes[_OPERATION] in self._registry.runs:
                    self._learn_hint(record, span, parent_context)
            keeper = self._registry.keeper
            if keeper is not None:
                keeper.started(span)
            if record.limits is not None:
                record.limits.touch()
            if not record.is_open:
                self._registry.span_started_late(record, span_id)
        except Exception as error:  # noqa: BLE001
            absorb("seeing a span start", error)

    def on_end(self, span: ReadableSpan) -> None:
        """A span that ended is forgotten; what it says of consumption is added to the session's totals."""
        try:
            context: Any
            try:
                context, attributes, status = span._context, span._attributes._dict, span._status  # type: ignore[union-attr]
            except AttributeError:
                context, attributes, status = span.context, attributes_of(span), span.status
            trace_id, span_id = context[0], context[1]
            record = self._open(trace_id) or self._over(trace_id)
            if record is None:
                record = self._registry.shared.find(trace_id, span_id)
                if record is None:
                    return
                trace_id = record.key
            keeper = self._registry.keeper
            if keeper is not None and span_id not in keeper.waiting:
                keeper.ended(span_id)
            spans = record.spans
            if spans is None or spans.pop(span_id, _NOT_THERE) is _NOT_THERE:
                if record.is_open and span_id == record.lasting_context.span_id:
                    self._registry.root_ended(record, span)
                return
            if _CONVERSATION_ID in attributes and _CONVERSATION_ID not in record.ids:
                self._learn(record, attributes)
            if (
                record.totals is not None
                or _OPERATION in attributes
                or (status is not _NO_STATUS and status.status_code is _ERROR)
                or _OPENINFERENCE_KIND in attributes
            ):
                totals = record.totals or totals_of(record)
                if totals.add(span, attributes, spans) and trace_id not in self._fresh:
                    self._registry.attend_soon(trace_id)
            if record.limits is not None:
                record.limits.touch()
            if not record.is_open:
                self._registry.forget_if_done(record)
        except Exception as error:  # noqa: BLE001
            absorb("seeing a span end", error)

    def _record_of_parent(self, span: SdkSpan, parent_context: Context | None) -> Record | None:
        """The session of a span whose trace is not known; takes in the root of one that is being started."""
        around = get_current() if parent_context is None else parent_context
        parent = around.get(SPAN_KEY)
        # Not by isinstance, which for an abstract base class is a Python call.
        if type(parent) is Record and parent.span is None:
            parent.born(span, span.context)
            if self._registry.keeper is not None:
                self._registry.keeper.started(span, is_root=True)
            self.source = parent.source
            return None
        while type(parent) is Record:
            # Known or not: a session may have ended just now, between the choice of the parent and here.
            if parent.trace_id == span.context.trace_id:
                return parent
            parent = parent.outer
        record = self._record_of_shared_trace(span) or self._record_of_baggage(span, around)
        if record is None:
            self._adopt(span, around)
        return record

    def _record_of_shared_trace(self, span: SdkSpan) -> Record | None:
        """The session of a span in a trace of which it is only a part."""
        shared, parent = self._registry.shared, span.parent
        trace_id, span_id = span.context[:2]
        record = None if parent is None else shared.find(trace_id, parent.span_id)
        if record is not None:
            shared.add(trace_id, span_id, record)
        return record

    def _adopt(self, span: SdkSpan, around: Context) -> None:
        """Makes a session of a span that some instrumentation opens for a run of an agent."""
        registry = self._registry
        if registry.runs and is_run(span, attributes_of(span), registry.runs) and not is_suppressed(get_current()):
            there = registry.adopting()
            source = self.source or there  # that of its own provider, which need not be the global one
            if source is not None:
                adopt(registry, source, span, around)
                self.source = source
                if registry.keeper is not None:
                    registry.keeper.started(span, is_root=True)

    def _record_of_baggage(self, span: SdkSpan, around: Context) -> Record | None:
        """The session elsewhere that a request, a task or a parent process brought along in the baggage."""
        record = None if BAGGAGE_KEY not in around else record_in(around)
        if record is not None:
            record.lasting_context = record.live_context = span.context
        return record

    def _learn(self, record: Record, attributes: Mapping[str, Any]) -> None:
        # Not the user: a span may be about somebody else.
        self._registry.learn(record, {_CONVERSATION_ID: attributes[_CONVERSATION_ID]})

    def _learn_hint(self, record: Record, span: SdkSpan, parent_context: Context | None) -> None:
        hint = hint_in(get_current() if parent_context is None else parent_context)
        if hint:
            self._registry.learn(record, hint)
            stamp(span, record.session_id, record.ids)

    def shutdown(self) -> None:
        # An explicit shutdown of the provider has a hook of its own; this one is in time only where the processor
        # was added before the exporters.
        if self.source is not None:
            self._registry.end_bounded(PROVIDER_SHUTDOWN, self.source)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True
