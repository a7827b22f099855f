"""Adoption: a span that some instrumentation opens for a run of an agent becomes the root of a session.

Nothing is wrapped: who instruments the framework says with the attributes of the span what it is. It stays the span of
that framework, which ends it when it likes; until then it is guarded like a session that was started here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context

from .. import semconv
from . import arguments, ids
from .adopted import AdoptedRecord, hear_end
from .carrier import ids_in
from .context import BAGGAGE_KEY, detach_quietly
from .sdk_spans import attributes_of
from .totals import totals_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span as SdkSpan

    from .registry import Registry
    from .source import Source

RUNS_OF_SCOPES: Final[Mapping[str, frozenset[str]]] = {
    # The Agent Development Kit names no operation on its outermost span.
    "gcp.vertex.agent": frozenset({"invocation"}),
    # Strands writes every attribute after the start.
    "strands.telemetry.tracer": frozenset({"invoke_agent", "invoke_graph", "invoke_swarm"}),
}
"""First words of names of spans that are runs, by their instrumentation scope, where no attribute at start says so."""

OPENINFERENCE_RUNS: Final = frozenset({"AGENT", "CHAIN"})
"""Kinds of OpenInference spans that, outermost, are runs."""

_NAMES: Final = (semconv.GEN_AI_AGENT_NAME, semconv.GEN_AI_WORKFLOW_NAME)

_HINT: Final = context.create_key("agentops-run")


def is_run(span: SdkSpan, attributes: Mapping[str, Any], operations: Collection[str]) -> bool:
    """Whether a span that starts, in no session, is a run of an agent."""
    if attributes.get(semconv.GEN_AI_OPERATION_NAME) in operations:
        return True
    if attributes.get(semconv.OPENINFERENCE_KIND) in OPENINFERENCE_RUNS:
        return True
    scope = span.instrumentation_scope
    return scope is not None and span.name.partition(" ")[0] in RUNS_OF_SCOPES.get(scope.name, ())


def adopt(registry: Registry, source: Source, span: SdkSpan, around: context.Context) -> AdoptedRecord:
    """Makes a span that has just started the root of a session; ``around`` is the context it starts in."""
    attributes = attributes_of(span)
    brought: Any = around.get(BAGGAGE_KEY) or {}
    try:
        session_id = arguments.identifier(semconv.SESSION_ID, attributes.get(semconv.SESSION_ID))
    except (TypeError, ValueError):
        session_id = ids.new_id()
    name = next((said for key in _NAMES if isinstance(said := attributes.get(key), str) and said), span.name)
    known = {**ids_in(brought), **hint_in(around), **ids_in(attributes)}
    record = AdoptedRecord(source, name, session_id, known, span)
    missing = {key: said for key, said in {semconv.SESSION_ID: session_id, **known}.items() if key not in attributes}
    span.set_attributes(missing)
    hear_end(registry, record, span)
    totals_of(record).add_root(attributes)
    registry.adopted(record, span)
    return record


@contextmanager
def hinted(*, conversation_id: object) -> Iterator[None]:
    """Says of runs that start in the block, or in tasks and threads that it starts, what no span of theirs does.

    An id that makes no sense is left out.
    """
    said = {semconv.GEN_AI_CONVERSATION_ID: conversation_id}
    token = context.attach(context.set_value(_HINT, ids_in(said)))
    try:
        yield
    finally:
        detach_quietly(token)


def hint_in(around: context.Context) -> Mapping[str, str]:
    """What was said of the runs that start in a context."""
    said: Any = around.get(_HINT)
    return said or {}
