"""How the spans that a dead process left open are ended: as those of a session that ends abnormally, and as lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AttributeValue

from .. import semconv
from ..sessions import events
from ..sessions.carrier import ids_in
from ..sessions.sdk_spans import attributes_of
from ..sessions.state import Ending, EndReason, EndState
from ..sessions.totals import Totals

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .records import SpanState

DESCRIPTION: Final = "the process was lost"
"""Of the status."""

_LOST: Final = Ending(EndState.UNKNOWN, EndReason.PROCESS_LOST).attributes
_OURS: Final = "agentops.session."
"""How the names begin of what a session says of itself: its end and its totals."""

_IDS: Final = frozenset(
    {semconv.SESSION_ID, semconv.SESSION_PREVIOUS_ID, semconv.GEN_AI_CONVERSATION_ID, semconv.USER_ID}
)


def ended(state: SpanState, time: int, known: Mapping[str, AttributeValue]) -> SpanState:
    """An open span as it is when it has ended.

    ``time``: of the last activity in its trace, so not before its start, in nanoseconds since the epoch. ``known``: how
    the process ended, as attributes.
    """
    if state.is_root:
        attributes = {**state.attributes, **_LOST, semconv.ERROR_TYPE: EndReason.PROCESS_LOST.value, **known}
        return state._replace(end=time, attributes=attributes, status=StatusCode.ERROR.value, description=DESCRIPTION)
    marks = {name: said for name, said in known.items() if name == semconv.EXIT_SIGNAL}
    return state._replace(
        end=time, attributes={**state.attributes, semconv.END_REASON: _LOST[semconv.END_REASON], **marks}
    )


def recounted(
    root: SpanState, spans: Iterable[SpanState], readable: Callable[[SpanState], ReadableSpan | None]
) -> SpanState:
    """A root with what the other spans of its session say of it; these come in the order of their starts.

    Totals, and the conversation that a framework names later, are written on an open root twice a second, so what came
    last is not there. Where fewer spans are there than were counted, because those that were delivered need not stay in
    the journal, what stands on the root stays.
    """
    session_id = root.attributes.get(semconv.SESSION_ID)  # a trace may have several sessions, below a request
    waiting = deque(state for state in spans if state.attributes.get(semconv.SESSION_ID, session_id) == session_id)
    said = (state.attributes.get(semconv.GEN_AI_CONVERSATION_ID) for state in waiting)
    learned = ids_in({semconv.GEN_AI_CONVERSATION_ID: next(filter(None, said), None)})
    root = root._replace(attributes={**learned, **root.attributes})
    opened: dict[int, Any] = {}
    totals = Totals()
    totals.add_root(root.attributes)
    ended = sorted((state for state in waiting if state.end), key=lambda state: state.end)
    # What is open ends with the session, the deepest first, and counts, as in a process that is not killed.
    left = [state for state in reversed(waiting) if not state.end]
    for state in (*ended, *left):
        while waiting and (not state.end or waiting[0].start <= state.end):
            started = waiting.popleft()
            # Of an open one only its attributes and its parent are looked at.
            span = readable(started if started.end else started._replace(end=started.start))
            if span is not None:
                opened[started.span_id] = span
        span = opened.pop(state.span_id, None)
        if span is not None:
            totals.add(span, attributes_of(span), opened)
    # As it is in a file: there are no tuples there.
    counted: dict[str, Any] = {
        name: list(said) if isinstance(said, tuple) else said for name, said in totals.attributes().items()
    }
    is_all = all(counted.get(name, 0) >= said for name, said in _session_attributes(root) if _is_number(said))
    return root._replace(attributes={**root.attributes, **counted}) if is_all else root


def tell(root: SpanState) -> None:
    """Emits the log event ``session.end`` for a root that `ended`, if the program has an SDK LoggerProvider."""
    context = trace.SpanContext(
        int.from_bytes(root.trace_id, "big"), root.span_id, is_remote=False, trace_flags=trace.TraceFlags(root.flags)
    )
    said = {name: root.attributes[name] for name in _IDS & root.attributes.keys()}
    said.update(_session_attributes(root))
    said[semconv.DURATION] = (root.end - root.start) / 1e9
    events.emit(semconv.EVENT_SESSION_END, said, context, time=root.end, is_error=True)


def _session_attributes(root: SpanState) -> list[tuple[str, Any]]:
    return [(name, said) for name, said in root.attributes.items() if name.startswith(_OURS)]


def _is_number(said: object) -> bool:
    return isinstance(said, (int, float)) and not isinstance(said, bool)
