"""Totals: what a session consumed, counted as its spans end, and what that cost."""

from __future__ import annotations

import os
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AttributeValue

from .. import prices, semconv
from .calls import Call, Calls, Change, LoneReport, OpenSpans
from .usage import CALLS_OF_MODELS, COUNTED_AS, TOKENS, Usage, operation_of, usage_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .record import Record

Sums = defaultdict[str, int]

MOST_MODELS: Final = 32
"""Models that are told apart in one session."""

MOST_QUEUED: Final = 2**16
"""Changes that wait to be counted; the worker counts them twice a second."""

_PATIENCE: Final = 5.0
"""Seconds that a reading waits for another one, before it tells what it finds."""

_PRICED: Final = "priced"
"""Of the sums: calls that are in the cost."""

_INTEGERS: Final = (*COUNTED_AS.values(), semconv.ERRORS, *TOKENS, semconv.UNPRICED_CALLS)

_turns: dict[int, threading.RLock] = {}
"""Who may count, by the process: in a forked child, a lock may be held by a thread that is not there."""

_makers: dict[int, threading.Lock] = {}
"""The same for who may make totals."""


@dataclass(frozen=True)
class ModelCount:
    """What a session consumed of one model, inferences and embeddings together."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    """US dollars; None where no call has a known price."""


@dataclass(frozen=True)
class Count:
    """A reading of the totals of a session."""

    inference_calls: int = 0
    tool_calls: int = 0
    agent_calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    embedding_calls: int = 0
    cache_read_input_tokens: int = 0
    """Of the input tokens, those that a cache answered for."""
    cache_creation_input_tokens: int = 0
    """Of the input tokens, those that were written to a cache."""
    reasoning_output_tokens: int = 0
    """Of the output tokens, those spent on reasoning."""
    cost: float | None = None
    """US dollars, of the calls whose price is known; None where there are none, or `genai-prices` is not installed."""
    unpriced_calls: int = 0
    """Calls that name a model and are not in the cost; 0 where `genai-prices` is not installed."""
    models: Mapping[str, ModelCount] = field(default_factory=dict, hash=False)
    """By the name of the model; those beyond the first 32 together as ``_OTHER``."""


class Totals:
    """Running totals of a session.

    `add` runs where spans end, which may be in a finalizer, so it takes no lock and does not calculate: it queues what
    it finds. Who reads the totals counts what is queued: the worker does twice a second, and the end of the session.
    """

    __slots__ = ("_calls", "_has_calls", "_is_counting", "_models", "_queue", "_shown", "_sums")

    def __init__(self) -> None:
        self._queue: deque[str | Change | LoneReport] = deque(maxlen=MOST_QUEUED)
        """Names of totals that are one more, and what became known of calls of models."""
        self._calls = Calls(self._queue.append)
        self._has_calls = False
        self._sums = Sums(int)
        self._models: dict[str, Sums] = {}
        self._shown: dict[str, Any] = {}
        self._is_counting = False

    def add_root(self, attributes: Mapping[str, Any]) -> None:
        """Takes in the root, which some instrumentation may have opened for a run of an agent: that counts too."""
        total = COUNTED_AS.get(operation_of(attributes) or "")
        if total is not None and total not in CALLS_OF_MODELS:
            self._queue.append(total)

    def add_usage_of_root(self, root: ReadableSpan, attributes: Mapping[str, Any]) -> None:
        """Takes in tokens that the root says itself, where no span told of a call: one that says what several took."""
        if not self._has_calls and usage_of(attributes).tokens:
            self._has_calls = True
            self._queue.append(LoneReport(semconv.INFERENCE_CALLS, root.start_time or 0, attributes))

    def add(self, span: ReadableSpan, attributes: Mapping[str, Any], opened: OpenSpans) -> bool:
        """Takes in a span that has ended, with the spans of the session that are open; true if a total changes."""
        operation = operation_of(attributes)
        total = None if operation is None else COUNTED_AS.get(operation)
        is_error = span.status.status_code is StatusCode.ERROR
        if is_error:
            self._queue.append(semconv.ERRORS)
        if total in CALLS_OF_MODELS:
            self._has_calls = True
            self._calls.span_ended(span, operation, total, attributes, opened)
        else:
            if total is not None:
                self._queue.append(total)
            self._calls.span_ended(span, operation, None, attributes, opened)
        return is_error or total is not None

    def count(self) -> Count:
        """The totals as they are now."""
        with self._counted():
            sums = self._sums
            return Count(
                inference_calls=sums[semconv.INFERENCE_CALLS],
                tool_calls=sums[semconv.TOOL_CALLS],
                agent_calls=sums[semconv.AGENT_CALLS],
                errors=sums[semconv.ERRORS],
                input_tokens=sums[semconv.USAGE_INPUT_TOKENS],
                output_tokens=sums[semconv.USAGE_OUTPUT_TOKENS],
                embedding_calls=sums[semconv.EMBEDDING_CALLS],
                cache_read_input_tokens=sums[semconv.USAGE_CACHE_READ_INPUT_TOKENS],
                cache_creation_input_tokens=sums[semconv.USAGE_CACHE_CREATION_INPUT_TOKENS],
                reasoning_output_tokens=sums[semconv.USAGE_REASONING_OUTPUT_TOKENS],
                cost=_dollars(sums),
                unpriced_calls=sums[semconv.UNPRICED_CALLS],
                models={model: _model_count(sums) for model, sums in self._models.items()},
            )

    def attributes(self) -> dict[str, AttributeValue]:
        """The totals as attributes: those that are not zero, and the cost where it is known.

        What was there once stays there, if need be with a zero: an attribute cannot be taken off a span.
        """
        with self._counted():
            shown: dict[str, AttributeValue] = {name: self._sums[name] for name in _INTEGERS if self._sums[name]}
            cost = _dollars(self._sums)
            if cost is not None:
                shown[semconv.COST] = cost
            shown.update(self._attributes_of_models())
            for name in self._shown.keys() - shown.keys():
                shown[name] = type(self._shown[name])()
            self._shown = shown
            return dict(shown)

    def _attributes_of_models(self) -> dict[str, AttributeValue]:
        models = self._models.values()
        if not models:
            return {}
        costs = [cost for sums in models if (cost := _dollars(sums)) is not None]
        shown: dict[str, AttributeValue] = {
            semconv.MODELS: tuple(self._models),
            semconv.MODEL_CALLS: tuple([_calls(sums) for sums in models]),
            semconv.MODEL_INPUT_TOKENS: tuple([sums[semconv.USAGE_INPUT_TOKENS] for sums in models]),
            semconv.MODEL_OUTPUT_TOKENS: tuple([sums[semconv.USAGE_OUTPUT_TOKENS] for sums in models]),
        }
        if len(costs) == len(models):  # an array can say of no model that its price is not known
            shown[semconv.MODEL_COSTS] = tuple(costs)
        return shown

    # -- counting --

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Counts what is queued; in the block the sums stand still.

        Not where this very thread is counting already and was interrupted, by a signal handler or a finalizer that
        reads the totals, or where another one takes too long: that reads what is there.
        """
        if self._has_calls:
            prices.load()  # may take most of a second, in which other sessions need not wait
        process = os.getpid()
        turn = _turns.get(process) or _turns.setdefault(process, threading.RLock())
        in_turn = turn.acquire(timeout=_PATIENCE)
        try:
            if in_turn and not self._is_counting:
                self._is_counting = True
                try:
                    self._take_in()
                finally:
                    self._is_counting = False
            yield
        finally:
            if in_turn:
                turn.release()

    def _take_in(self) -> None:
        calls: dict[Call, None] = {}
        while self._queue:
            queued = self._queue.popleft()
            if isinstance(queued, str):
                self._sums[queued] += 1
            elif isinstance(queued, LoneReport):
                said = usage_of(queued.attributes)
                self._add(_counted(queued.kind, said, queued.time), self._label(said.model))
            else:
                queued.apply()
                calls[queued.call] = None
        for call in calls:
            self._count(call)

    def _count(self, call: Call) -> None:
        """Puts a call into the sums, in place of what was there of it."""
        self._add({name: -number for name, number in call.counted.items()}, call.counted_for)
        if call.counted_for is not None and not any(self._models[call.counted_for].values()):
            del self._models[call.counted_for]
        call.counted = _counted(call.kind, Usage(call.tokens, call.model, call.provider), call.time)
        call.counted_for = self._label(call.model)
        self._add(call.counted, call.counted_for)

    def _add(self, numbers: Mapping[str, int], model: str | None) -> None:
        sums = self._sums
        for name, number in numbers.items():
            sums[name] += number
        if model is not None:
            of_model = self._models.get(model)
            if of_model is None:
                of_model = self._models[model] = Sums(int)
            for name, number in numbers.items():
                of_model[name] += number

    def _label(self, model: str | None) -> str | None:
        if model is None or model in self._models or len(self._models) < MOST_MODELS:
            return model
        return semconv.MODEL_OTHER


def totals_of(record: Record) -> Totals:
    """The totals of a session, made when they are first asked for; one for all threads."""
    made = Totals()
    with _makers.setdefault(os.getpid(), threading.Lock()):  # nothing is allocated in it, so no finalizer can come
        if record.totals is None:
            record.totals = made
        return record.totals


def _counted(kind: str, said: Usage, time: int) -> dict[str, int]:
    """What a call adds to the sums; with its cost, or that it has none, where there are prices and it names a model."""
    numbers = {kind: 1, **said.tokens}
    if said.model is not None and prices.load() is not None:
        cost = _cost(kind, said, time)
        numbers.update({semconv.UNPRICED_CALLS: 1} if cost is None else {semconv.COST: cost, _PRICED: 1})
    return numbers


def _cost(kind: str, said: Usage, time: int) -> int | None:
    tokens, model, provider = said
    is_complete = semconv.USAGE_INPUT_TOKENS in tokens and (
        semconv.USAGE_OUTPUT_TOKENS in tokens or kind == semconv.EMBEDDING_CALLS
    )
    return prices.cost(provider, model, tokens, time) if is_complete and provider and model else None


def _model_count(sums: Sums) -> ModelCount:
    return ModelCount(
        calls=_calls(sums),
        input_tokens=sums[semconv.USAGE_INPUT_TOKENS],
        output_tokens=sums[semconv.USAGE_OUTPUT_TOKENS],
        cost=_dollars(sums),
    )


def _calls(sums: Sums) -> int:
    return sums[semconv.INFERENCE_CALLS] + sums[semconv.EMBEDDING_CALLS]


def _dollars(sums: Sums) -> float | None:
    return sums[semconv.COST] / prices.PER_DOLLAR if sums[_PRICED] else None
