"""Spans that were taken for export and never arrive: counted, and said."""

from __future__ import annotations

import enum
import logging
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

from .. import __version__, semconv
from ..sessions.metrics import meter_provider
from ..sessions.worker import Worker
from ..shield import Shield

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter as Instrument

_logger = logging.getLogger("agentops_otel")
_SAYING: Final = Shield("saying what was lost")


class Loss(enum.Enum):
    """Why spans are lost; the value is ``agentops.lost.reason``."""

    QUEUE_FULL = "queue_full"
    REFUSED = "refused"
    NOT_EXPORTED = "not_exported"
    JOURNAL_FULL = "journal_full"


_WHY: Final = {
    Loss.QUEUE_FULL: "the queue of a batch span processor is full, and there is no journal that keeps them",
    Loss.REFUSED: "the collector does not take them, and says that it never will",
    Loss.NOT_EXPORTED: "they could not be exported, and there is no journal that keeps them",
    Loss.JOURNAL_FULL: "the journal has become too large",
}


class Losses:
    """Counts what is lost. One log line tells of the first of each kind; a metric, and `say_totals`, of all."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._begin()

    def _begin(self) -> None:
        self._news: deque[tuple[Loss, int]] = deque()
        self._totals: Counter[Loss] = Counter()
        self._measured: Counter[Loss] = Counter()
        self._said: set[Loss] = set()
        self._said_totals: Counter[Loss] = Counter()
        self._meter_provider: Any = None
        self._instrument: Instrument | None = None
        self._saying = threading.RLock()

    def add(self, reason: Loss, spans: int = 1) -> None:
        """So many spans are lost. Safe in finalizers and signal handlers."""
        if spans:
            self._news.append((reason, spans))
            self._worker.post(self.say)

    def totals(self) -> dict[Loss, int]:
        """How many spans are lost, by reason."""
        self._learn()
        return dict(self._totals)

    def say(self) -> None:
        """Says what is new, in the log and as a metric. Not for finalizers and signal handlers."""
        with _SAYING, self._saying:
            self._learn()
            for reason, spans in self._totals.items():
                if reason not in self._said:
                    self._said.add(reason)
                    _logger.warning(
                        "%d spans lost: %s; later ones are only counted (%s)", spans, _WHY[reason], semconv.METRIC_LOST
                    )
            self._measure()

    def say_totals(self) -> None:
        """Says in the log how many have been lost in all, unless nothing is new since it was said."""
        self.say()
        with self._saying:
            if self._totals != self._said_totals:
                self._said_totals = Counter(self._totals)
                parts = [f"{spans} {reason.value}" for reason, spans in self._totals.items()]
                _logger.warning("in all %d spans lost: %s", sum(self._totals.values()), ", ".join(parts))

    def in_child_after_fork(self) -> None:
        """What the parent has lost is for the parent to say."""
        self._begin()

    def _learn(self) -> None:
        with self._saying:
            while self._news:
                reason, spans = self._news.popleft()
                self._totals[reason] += spans

    def _measure(self) -> None:
        provider = meter_provider()
        if provider is None:
            return
        if provider is not self._meter_provider:
            self._meter_provider = provider
            self._instrument = provider.get_meter(semconv.SCOPE, __version__).create_counter(
                semconv.METRIC_LOST, unit="{span}", description="Spans that were taken for export and never arrive."
            )
        assert self._instrument is not None
        for reason, spans in (self._totals - self._measured).items():
            self._instrument.add(spans, {semconv.LOST_REASON: reason.value})
        self._measured = Counter(self._totals)
