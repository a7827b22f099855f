"""What is known of a processor's queue from outside, whatever its threads do, and in whatever order."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SpanExporter

from agentops_otel.journal.feeds import QueueFeed
from agentops_otel.journal.sink import Sink
from agentops_otel.journal.sinks import Sinks
from agentops_otel.sessions.worker import Worker

SIZE, BATCH = 3, 2


class Queue:
    """A batch processor as the SDK's: a bounded queue, of which one thread at a time exports batches."""

    def __init__(self) -> None:
        self.spans: deque[int] = deque(maxlen=SIZE)
        self.sink = Sink(SpanExporter(), Sinks(Worker()))
        self.feed = QueueFeed(self.sink, self)
        self.exported: list[int] = []
        self.lost: list[int] = []
        self.on_its_way: list[int] | None = None

    def take_batch(self) -> None:
        if self.on_its_way is None and self.spans:
            self.on_its_way = [self.spans.popleft() for _ in range(min(BATCH, len(self.spans)))]

    def export(self) -> None:
        batch, self.on_its_way = self.on_its_way, None
        if batch is not None:
            taken = self.feed.took(batch)
            assert sorted(taken.of_batch) == sorted(batch)
            self.decide(taken.lost)
            self.exported += batch
            self.feed.decided(batch)

    def decide(self, span_ids: Any) -> None:
        self.lost += span_ids
        self.feed.decided(span_ids)

    def ask(self) -> None:
        asked = self.feed.ask()
        self.decide([span_id for span_id in asked if self.feed.doubts(span_id)])

    def force_flush(self) -> bool:
        self.export()
        while self.spans:
            self.take_batch()
            self.export()
        return True


class Thread:
    """Gives one span after the other to the processor, in three steps that others may come in between."""

    def __init__(self, queue: Queue, first: int) -> None:
        self.queue = queue
        self.next = first
        self.step = 0

    def go_on(self) -> None:
        feed, span_id = self.queue.feed, self.next
        if self.step == 0:
            feed.inside.add(span_id)
            feed.queued[span_id] = None
        elif self.step == 1:
            self.queue.spans.append(span_id)
        else:
            feed.inside.discard(span_id)
            self.next += 1
        self.step = (self.step + 1) % 3


STEPS = ("first", "second", "third", "take", "export", "ask")


@given(st.integers(0, 2**32), st.tuples(*[st.integers(1, 10)] * len(STEPS)))
def test_what_is_called_lost_never_comes_and_what_never_comes_is_called_lost(seed: int, often: tuple[int, ...]) -> None:
    queue = Queue()
    threads = {name: Thread(queue, 1000 * number) for number, name in enumerate(STEPS[:3], 1)}
    for step in random.Random(seed).choices(STEPS, often, k=300):
        if step == "take":
            queue.take_batch()
        elif step == "export":
            queue.export()
        elif step == "ask":
            queue.ask()
        else:
            threads[step].go_on()
        still_there = {*queue.exported, *queue.spans, *(queue.on_its_way or ())}
        assert not still_there & set(queue.lost)
    for thread in threads.values():
        while thread.step:
            thread.go_on()
    queue.force_flush()
    queue.ask()
    given_away = [id for n, thread in enumerate(threads.values(), 1) for id in range(1000 * n, thread.next)]
    assert sorted([*queue.exported, *queue.lost]) == given_away
    assert queue.feed.rest() == []


@given(st.integers(0, 50))
def test_what_is_passed_keeps_the_order_in_which_it_was_taken(dropped: int) -> None:
    queue = Queue()
    thread = Thread(queue, 1)
    for _ in range(3 * (dropped + SIZE)):
        thread.go_on()
    queue.take_batch()
    batch = queue.on_its_way
    assert batch is not None
    taken = queue.feed.took(batch)
    assert list(taken.passed) == list(range(1, dropped + BATCH + 1))


def test_a_processor_that_hangs_does_not_make_the_list_grow_for_ever() -> None:
    queue = Queue()
    queue.feed.most = 10
    thread = Thread(queue, 1)
    crowded_out: list[int] = []
    for _ in range(3 * 100):
        thread.go_on()
        crowded_out += queue.feed.crowd_out()
    assert crowded_out == list(range(1, 91))
    assert list(queue.feed.queued) == list(range(91, 101))


def test_spans_of_somebody_else_in_a_batch_say_nothing() -> None:
    queue = Queue()
    thread = Thread(queue, 1)
    for _ in range(3 * 2):
        thread.go_on()
    taken = queue.feed.took([7, 8, 9])
    assert (taken.of_batch, taken.passed, taken.lost) == ([], [], [])
    assert queue.feed.rest() == [1, 2]
