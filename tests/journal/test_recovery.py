"""What dead processes left is ended as lost, and sent once, by one of those who try, whatever happens meanwhile."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from support import journals
from support.journals import KEY, OTHER, SECOND, START, span
from support.programs import Program
from support.spans import attributes, context_of, poll

from agentops_otel import semconv
from agentops_otel.journal import format, recovery
from agentops_otel.journal.places import Place
from agentops_otel.journal.records import (
    Accepted,
    Delivered,
    Event,
    Link,
    Owner,
    Record,
    Resource,
    Scope,
)
from agentops_otel.journal.recovery import MOST_SPANS, Recovery, Summary, recover
from agentops_otel.journal.verdicts import Verdict
from agentops_otel.sessions.worker import Worker


class Collector:
    """Takes spans, unless it is told otherwise."""

    def __init__(self, key: str = KEY, answer: Callable[[Sequence[ReadableSpan]], Verdict] | None = None) -> None:
        self.key = key
        self.batches: list[list[ReadableSpan]] = []
        self.asked = 0
        self.answer = answer or (lambda spans: Verdict.DELIVERED)

    def send(self, spans: Sequence[ReadableSpan]) -> Verdict:
        self.asked += 1
        verdict = self.answer(spans)
        if verdict is Verdict.DELIVERED:
            self.batches.append(list(spans))
        return verdict

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for batch in self.batches for span in batch]

    def ids(self) -> list[int]:
        return [context_of(span).span_id for span in self.spans]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "journal")


def recover_all(place: Place, *collectors: Collector, **options: Any) -> list[Summary]:
    return [recover(files, collectors, **options) for files in place.dead()]


def recover_one(place: Place, *collectors: Collector, **options: Any) -> Summary:
    [summary] = recover_all(place, *collectors, **options)
    return summary


def files(place: Place) -> list[str]:
    return sorted(os.listdir(place.directory))


# -- how it ends --------------------------------------------------------------------------------------------------


def test_what_was_open_ends_as_lost_with_the_last_activity(place: Place) -> None:
    journals.write(
        place.directory, [span(1), span(2, parent=1), span(3, parent=2), span(4, parent=3, end=9), Accepted(4, 0)]
    )
    collector = Collector()
    summary = recover_one(place, collector)
    assert (summary.sessions, summary.spans, summary.sent, summary.left, summary.pid) == (1, 4, 4, 0, 4711)
    assert collector.ids() == [4, 3, 2, 1]
    ended, inner, outer, root = collector.spans
    assert attributes(ended) == {"session.id": "id 1"}
    for descendant in (inner, outer):
        assert attributes(descendant) == {"session.id": "id 1", semconv.END_REASON: "process_lost"}
        assert descendant.status.status_code.name == "UNSET"
    assert attributes(root) == {
        "session.id": "id 1",
        semconv.END_STATE: "unknown",
        semconv.END_REASON: "process_lost",
        semconv.ERROR_TYPE: "process_lost",
    }
    assert (root.status.status_code.name, root.status.description) == ("ERROR", "the process was lost")
    assert {each.end_time for each in collector.spans} == {START + 9 * SECOND}
    assert files(place) == []


def test_how_the_process_ended_is_said_where_it_is_known(place: Place) -> None:
    for pid in (1, 2):
        journals.write(place.directory, [span(pid), span(pid + 10, parent=pid)], owner=Owner(pid, "run"))
    known: dict[int, dict[str, Any]] = {1: {semconv.EXIT_SIGNAL: "SIGKILL"}, 2: {semconv.EXIT_CODE: 7}}
    collector = Collector()
    recover_all(place, collector, known_of=lambda owner: known[owner.pid] if owner.run_id == "run" else {})
    said = [{name: at for name, at in attributes(each).items() if ".exit." in name} for each in collector.spans]
    assert said == [known[1], known[1], {}, known[2]]


def test_a_span_is_as_it_was_in_all_that_it_had(place: Place) -> None:
    event = Event("thought", START + 5, {"n": 1})
    link = Link((9).to_bytes(16, "big"), 8, "k=v", 1, {"why": "because"})
    lost = span(
        2,
        parent=1,
        attributes={"list": ["a", "b"], "number": 1.5},
        kind=2,
        events=[event],
        links=[link],
        trace_state="vendor=x",
        resource=3,
        scope=4,
    )
    tables: list[Record] = [
        Resource(3, {"service.name": "mine"}, "https://schema"),
        Scope(4, "scope", "2", None, {"of": "scope"}),
    ]
    journals.write(place.directory, [*tables, lost])
    collector = Collector()
    recover_one(place, collector)
    [sent] = collector.spans
    context, parent = context_of(sent), sent.parent
    assert (context.trace_id, context.span_id, context.trace_flags) == (1, 2, 1)
    assert context.trace_state.to_header() == "vendor=x"
    assert parent is not None
    assert (parent.trace_id, parent.span_id) == (1, 1)
    assert (sent.name, sent.kind.name, sent.start_time) == ("span 2", "CLIENT", lost.start)
    assert attributes(sent)["list"] == ("a", "b")
    assert attributes(sent)["number"] == 1.5
    assert [(each.name, each.timestamp, dict(each.attributes or {})) for each in sent.events] == [
        ("thought", START + 5, {"n": 1})
    ]
    assert [(each.context.trace_id, each.context.span_id, dict(each.attributes or {})) for each in sent.links] == [
        (9, 8, {"why": "because"})
    ]
    assert (sent.resource.attributes["service.name"], sent.resource.schema_url) == ("mine", "https://schema")
    scope = sent.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("scope", "2")


def chat(number: int, parent: int, end: float, tokens: int) -> Sequence[Record]:
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": tokens}
    return [span(number, parent=parent), span(number, parent=parent, end=end, attributes=said), Accepted(number, 0)]


def test_the_totals_have_what_ended_after_they_were_written(place: Place) -> None:
    """Also what had been delivered; and a call that two spans report, one in the other, counts once."""
    root = span(1, seen=10, attributes={semconv.INFERENCE_CALLS: 1, semconv.USAGE_INPUT_TOKENS: 5})
    inner, outer = chat(4, 3, 12, 7), chat(3, 1, 13, 7)
    entries: list[Record] = [span(1), *chat(2, 1, 9, 5), Delivered(0, [2]), root, outer[0], *inner, *outer[1:]]
    journals.write(place.directory, entries)
    collector = Collector()
    recover_one(place, collector)
    assert collector.ids() == [4, 3, 1]
    said = attributes(collector.spans[-1])
    assert (said[semconv.INFERENCE_CALLS], said[semconv.USAGE_INPUT_TOKENS]) == (2, 12)
    assert (said[semconv.MODELS], said[semconv.MODEL_CALLS]) == (("m",), (2,))


def test_the_totals_have_what_was_still_open(place: Place) -> None:
    """A call that two spans report, one in the other, counts once here as well."""
    operations = {2: "invoke_agent", 3: "chat", 4: "chat"}
    inside = [span(n, parent=n - 1, attributes={"gen_ai.operation.name": said}) for n, said in operations.items()]
    journals.write(place.directory, [span(1), *inside])
    collector = Collector()
    recover_one(place, collector)
    said = attributes(collector.spans[-1])
    assert (said[semconv.AGENT_CALLS], said[semconv.INFERENCE_CALLS]) == (1, 1)


def test_a_root_has_the_conversation_that_is_named_on_spans_of_its_session_alone(place: Place) -> None:
    """There may be several sessions in one trace, below the span of a request."""
    entries: list[Record] = []
    for number, session, said in ((1, "a", "c-a"), (3, "b", "c-b"), (5, "c", 7)):
        entries.append(span(number, attributes={semconv.SESSION_ID: session}))
        inside = {semconv.SESSION_ID: session, semconv.GEN_AI_CONVERSATION_ID: said}
        entries.append(span(number + 1, parent=number, attributes=inside))
    journals.write(place.directory, entries)
    collector = Collector()
    recover_one(place, collector)
    roots = [attributes(each) for each in collector.spans if each.parent is None]
    named = {said[semconv.SESSION_ID]: said.get(semconv.GEN_AI_CONVERSATION_ID) for said in roots}
    assert named == {"a": "c-a", "b": "c-b", "c": None}


def test_the_totals_stay_where_not_all_spans_are_in_the_journal_any_more(place: Place) -> None:
    root = span(1, attributes={semconv.INFERENCE_CALLS: 100, semconv.USAGE_INPUT_TOKENS: 500})
    entries: list[Record] = [root, *chat(2, 1, 9, 5)]
    journals.write(place.directory, entries)
    collector = Collector()
    recover_one(place, collector)
    said = attributes(collector.spans[-1])
    assert (said[semconv.INFERENCE_CALLS], said[semconv.USAGE_INPUT_TOKENS]) == (100, 500)
    assert semconv.MODELS not in said


def test_of_a_session_elsewhere_only_the_spans_that_were_here_are_ended(place: Place) -> None:
    journals.write(place.directory, [span(2, parent=1), span(3, parent=2)])
    collector = Collector()
    assert recover_one(place, collector).sessions == 0
    assert collector.ids() == [3, 2]
    assert {each.status.status_code.name for each in collector.spans} == {"UNSET"}


def test_a_clock_that_jumped_gives_no_span_an_end_before_its_start(place: Place) -> None:
    journals.write(place.directory, [span(1, start=100, seen=-5), span(2, parent=1, start=-50, seen=-50)])
    collector = Collector()
    recover_one(place, collector)
    assert [(each.start_time or 0) <= (each.end_time or 0) for each in collector.spans] == [True, True]


# -- to whom ------------------------------------------------------------------------------------------------------


def test_each_exporter_gets_what_it_has_not_confirmed(place: Place) -> None:
    entries: list[Record] = [span(1), span(2, parent=1, end=3), Accepted(2, 0), Accepted(2, 1), Delivered(1, [2])]
    journals.write(place.directory, entries, sinks=[KEY, OTHER])
    one, other, third = Collector(), Collector(OTHER), Collector("third")
    recover_one(place, one, other, third)
    assert (one.ids(), other.ids(), third.ids()) == ([2, 1], [1], [])
    assert files(place) == []


def test_what_an_exporter_that_is_not_here_has_not_confirmed_stays(place: Place) -> None:
    journals.write(place.directory, [span(1)], sinks=[KEY, OTHER])
    one, other = Collector(), Collector(OTHER)
    summary = recover_one(place, one)
    assert (one.ids(), summary.left, summary.has_failed) == ([1], 1, False)
    assert recover_one(place, one).sent == 0
    recover_one(place, one, other)
    assert (one.ids(), other.ids()) == ([1], [1])
    assert files(place) == []


def test_nothing_is_lost_where_there_is_no_exporter(place: Place) -> None:
    journals.write(place.directory, [span(1)])
    assert recover_one(place).left == 1
    assert len(files(place)) == 2


def test_where_nothing_was_left_the_files_go(place: Place) -> None:
    place.new_owner().release()  # died before it wrote anything
    journals.write(place.directory, [span(2, end=3), Accepted(2, 0), Delivered(0, [2])])
    collector = Collector()
    assert [summary.spans for summary in recover_all(place, collector)] == [0, 0]
    assert (files(place), collector.asked) == ([], 0)


def test_of_a_live_owner_nothing_is_touched(place: Place) -> None:
    """Whatever pid its journal says."""
    alive = place.new_owner()
    alive.segment(0).write_bytes(journals.content(Owner(os.getpid() + 1, ""), *journals.HEAD[1:], span(1)))
    before = files(place)
    collector = Collector()
    assert recover_all(place, collector) == []
    assert (files(place), collector.asked) == (before, 0)
    alive.release()
    assert recover_one(place, collector).sent == 1


# -- batches, and what collectors say -----------------------------------------------------------------------------


def many(number: int) -> list[Record]:
    """So many spans that have ended and were not delivered."""
    return [
        record for each in range(2, number + 2) for record in (span(each, parent=1, end=each + 1), Accepted(each, 0))
    ]


def test_it_is_sent_in_batches_in_the_order_of_age_with_rests_between(place: Place) -> None:
    journals.write(place.directory, many(2 * MOST_SPANS + 1))
    collector = Collector()
    rests: list[float] = []
    recover_one(place, collector, rest=rests.append)
    assert [len(batch) for batch in collector.batches] == [MOST_SPANS, MOST_SPANS, 1]
    assert collector.ids() == list(range(2, 2 * MOST_SPANS + 3))
    assert len(rests) == 3
    assert all(seconds > 0 for seconds in rests)


def test_a_batch_of_large_spans_has_fewer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "MOST_BYTES", 1000)
    large = [span(each, parent=1, attributes={"text": "x" * size}) for each, size in ((2, 5000), (3, 10), (4, 10))]
    journals.write(place.directory, large)
    collector = Collector()
    recover_one(place, collector)
    assert [len(batch) for batch in collector.batches] == [2, 1]


def test_after_a_failure_it_goes_on_where_it_was(place: Place) -> None:
    journals.write(place.directory, [*many(3 * MOST_SPANS), span(1)])
    collector = Collector()
    collector.answer = lambda spans: Verdict.FAILED if collector.asked == 2 else Verdict.DELIVERED
    summary = recover_one(place, collector)
    assert (summary.sent, summary.left, summary.has_failed) == (MOST_SPANS, 2 * MOST_SPANS + 1, True)
    assert recover_one(place, collector).sent == 2 * MOST_SPANS + 1
    assert collector.ids() == [*range(2, 3 * MOST_SPANS + 2), 1]
    assert recover_all(place, collector) == []


def test_what_a_collector_refuses_is_never_sent_again(place: Place) -> None:
    journals.write(place.directory, many(2))
    collector = Collector(answer=lambda spans: Verdict.REFUSED)
    summary = recover_one(place, collector)
    assert (summary.sent, summary.refused, summary.left) == (0, 2, 0)
    assert files(place) == []


def test_what_is_too_much_for_a_collector_is_sent_in_parts(place: Place) -> None:
    journals.write(place.directory, many(10))
    collector = Collector()

    def answer(spans: Sequence[ReadableSpan]) -> Verdict:
        too_large = any(context_of(each).span_id == 5 for each in spans)
        return Verdict.TOO_MUCH if too_large or len(spans) > 3 else Verdict.DELIVERED

    collector.answer = answer
    summary = recover_one(place, collector)
    assert collector.ids() == [2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert (summary.sent, summary.refused, summary.left) == (9, 1, 0)


def test_what_could_not_be_remembered_is_not_sent(place: Place) -> None:
    name = journals.write(place.directory, many(2))
    beside = place.directory / f"{name}.done.journal"
    beside.mkdir()
    collector = Collector()
    summary = recover_one(place, collector)
    assert (collector.asked, summary.left, summary.has_failed) == (0, 2, True)
    beside.rmdir()
    assert recover_one(place, collector).sent == 2


# -- damage -------------------------------------------------------------------------------------------------------


def test_files_that_cannot_be_read_stay(place: Place) -> None:
    journals.write(place.directory, [span(1)], [span(2, parent=1)])
    [dead] = place.dead()
    newer = dead.segments()[1]
    data = bytearray(newer.read_bytes())
    data[16] += 1
    newer.write_bytes(data)
    dead.release()
    collector = Collector()
    summary = recover_one(place, collector)
    assert (collector.ids(), summary.left) == ([1], 0)
    version = format.VERSION
    assert summary.problem == f"{newer.name}: it is a journal of version {version + 1}, and this is version {version}"
    assert newer.read_bytes() == data
    assert recover_one(place, collector).sent == 0


def test_a_span_is_not_lost_with_its_resource(place: Place) -> None:
    dead = place.new_owner()
    dead.segment(0).write_bytes(journals.content(journals.HEAD[0], span(1)))
    dead.release()
    collector = Collector()
    recover_one(place, collector)
    assert collector.ids() == [1]


def test_what_can_be_no_span_is_counted_and_holds_nothing_up(place: Place) -> None:
    journals.write(place.directory, [span(1), span(0, trace=5), span(3, trace=0), span(4, parent=1)])
    collector = Collector()
    summary = recover_one(place, collector)
    assert (collector.ids(), summary.damaged, summary.left) == ([4, 1], 2, 0)
    assert files(place) == []


# -- killed in the middle, and several at a time ------------------------------------------------------------------

RECOVERS = """
import os, sys
from pathlib import Path
from agentops_otel.journal.places import Place
from agentops_otel.journal.recovery import recover
from agentops_otel.journal.verdicts import Verdict

class Exporter:
    key = "some.module.Exporter"
    batches = 0
    def send(self, spans):
        self.batches += 1
        if self.batches == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
        # In one write, so that two processes do not mix.
        os.write(1, "".join(f"{span.context.span_id}\\n" for span in spans).encode())
        return Verdict.DELIVERED

for files in Place(Path(sys.argv[1])).dead():
    recover(files, [Exporter()])
"""


def sent(program: Program) -> list[int]:
    return [int(line) for line in program.wait().stdout.splitlines()]


def test_killed_in_the_middle_it_is_gone_on_from(place: Place) -> None:
    journals.write(place.directory, many(5 * MOST_SPANS))
    arrived: list[int] = []
    for dies_at in (2, 1, 3, 0):
        with Program.start(["-c", RECOVERS, str(place.directory), str(dies_at)]) as program:
            arrived += sent(program)
            assert program.wait().returncode == (-signal.SIGKILL if dies_at else 0)
    assert arrived == list(range(2, 5 * MOST_SPANS + 2))
    assert files(place) == []


def test_of_several_at_a_time_one_recovers_each(place: Place) -> None:
    expected = []
    for number in range(20):
        base = number * 1000
        journals.write(place.directory, [span(base + 1, trace=number + 1), span(base + 2, parent=1, trace=number + 1)])
        expected += [base + 1, base + 2]
    programs: list[Program] = []
    try:
        programs += [Program.start(["-c", RECOVERS, str(place.directory), "0"]) for _ in range(4)]
        arrived = [each for program in programs for each in sent(program)]
    finally:
        for program in programs:
            program.kill()
    assert sorted(arrived) == sorted(expected)
    assert files(place) == []


# -- in the background --------------------------------------------------------------------------------------------


def later() -> float:
    return time.monotonic() + 20


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    worker.ensure()
    yield worker
    worker.settle(5)


class Background:
    """A recovery, with the exporters that are known to it."""

    def __init__(self, place: Place, worker: Worker, *collectors: Collector) -> None:
        self.collectors = list(collectors)
        self.threads: list[threading.Thread] = []
        self.recovery = Recovery(place, lambda: self.collectors, self._soon)
        self._worker = worker

    def _soon(self, seconds: float, job: Callable[[], object]) -> None:
        self._worker.post(job)


def test_it_recovers_in_the_background_when_an_exporter_is_known(place: Place, worker: Worker) -> None:
    for number in range(1, 4):
        journals.write(place.directory, [span(number, trace=number)])
    background = Background(place, worker, Collector())
    background.recovery.start()
    poll(lambda: files(place) == [])
    assert background.collectors[0].ids() == [1, 2, 3]


def test_after_a_failure_it_tries_again_and_claims_nothing_meanwhile(
    place: Place, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_FIRST_PAUSE", 0.05)
    journals.write(place.directory, [span(1)])
    away = threading.Event()
    away.set()
    collector = Collector(answer=lambda spans: Verdict.FAILED if away.is_set() else Verdict.DELIVERED)
    background = Background(place, worker, collector)
    background.recovery.start()
    poll(lambda: collector.asked >= 3)

    def can_be_claimed() -> bool:
        claimed = list(place.dead())
        for owner in claimed:
            owner.release()
        return bool(claimed)

    poll(can_be_claimed)
    away.clear()
    poll(lambda: files(place) == [])
    assert collector.ids() == [1]


def test_another_exporter_wakes_a_recovery_that_waits(
    place: Place, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_FIRST_PAUSE", 3600.0)
    journals.write(place.directory, [span(1)])
    collector = Collector(answer=lambda spans: Verdict.FAILED)
    background = Background(place, worker, collector)
    for _ in range(3):
        asked = collector.asked
        background.recovery.start()
        poll(functools.partial(lambda before: collector.asked > before, asked))
    collector.answer = lambda spans: Verdict.DELIVERED
    background.recovery.start()
    poll(lambda: files(place) == [])


def test_the_exit_waits_for_what_was_asked_for(place: Place, worker: Worker) -> None:
    """Also where it has not begun, and no thread can be had any more."""
    journals.write(place.directory, [span(1)])
    collector = Collector()
    asked = Recovery(place, lambda: [collector], lambda seconds, job: None)
    assert asked.flush(0.0)  # nothing was asked for
    asked.start()
    assert asked.flush(later())
    assert (collector.ids(), files(place)) == ([1], [])


def test_the_exit_does_not_wait_for_a_collector_that_is_away(place: Place, worker: Worker) -> None:
    journals.write(place.directory, [span(1)])
    collector = Collector(answer=lambda spans: Verdict.FAILED)
    background = Background(place, worker, collector)
    background.recovery.start()
    poll(lambda: collector.asked == 1)
    assert not background.recovery.flush(later())
    assert collector.asked == 1


def test_the_exit_waits_no_longer_than_it_may(place: Place, worker: Worker) -> None:
    journals.write(place.directory, [span(1)])
    goes_on = threading.Event()

    def hang(spans: Sequence[ReadableSpan]) -> Verdict:
        goes_on.wait(30)
        return Verdict.DELIVERED

    collector = Collector(answer=hang)
    background = Background(place, worker, collector)
    background.recovery.start()
    poll(lambda: collector.asked == 1)
    assert not background.recovery.flush(0.0)
    goes_on.set()
    poll(lambda: files(place) == [])


def test_what_cannot_be_read_is_said_once(place: Place, worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    name = journals.write(place.directory, [span(1)])
    [segment] = place.directory.glob(f"{name}.*.journal")
    segment.write_text("dear diary")
    background = Background(place, worker, Collector())
    for _ in range(3):
        background.recovery.start()
        assert background.recovery.flush(later())
    [record] = caplog.records
    assert record.getMessage() == (
        f"in {place.directory} there are files that cannot be read: {segment.name}: it is too short"
    )
    assert segment.read_text() == "dear diary"


def test_what_nobody_takes_for_a_week_is_dropped_and_said(
    place: Place, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        name = journals.write(place.directory, [span(1)])
        for path in list(place.directory.glob(f"{name}*")):
            path.rename(path.with_name("20200101" + path.name[8:]))
        collector = Collector()
        background = Background(place, worker, collector)
        background.recovery.start()
        assert background.recovery.flush(later())
        assert collector.ids() == [1]  # not before it was tried
    journals.write(place.directory, [span(1)])
    for each in list(place.directory.iterdir()):
        each.rename(each.with_name("20200101" + each.name[8:]))
    background = Background(place, worker, Collector(answer=lambda spans: Verdict.FAILED))
    background.recovery.start()
    background.recovery.flush(later())  # false, unless the thread has found already that nothing is left
    assert files(place) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"what 1 processes left in {place.directory} is dropped: it is too old, or too much"
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_leaves_what_its_parent_recovers_to_it(place: Place) -> None:
    code = f"""
import os, sys, threading, time
sys.path[:0] = {sys.path!r}
from pathlib import Path
from support import journals
from agentops_otel.journal.places import Place
from agentops_otel.journal.recovery import Recovery
from agentops_otel.journal.verdicts import Verdict

place = Place(Path({str(place.directory)!r}))
journals.write(place.directory, [journals.span(1)])
inside, goes_on = threading.Event(), threading.Event()

class Exporter:
    key = journals.KEY
    def send(self, spans):
        inside.set()
        goes_on.wait(20)
        return Verdict.FAILED

recovery = Recovery(place, lambda: [Exporter()], lambda seconds, job: job())
recovery.start()
inside.wait(20)
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    recovery.in_child_after_fork()
    os.write(writer, f"{{len(list(place.dead()))}} {{recovery.flush(0.0)}}".encode())
    threading.Event().wait(60)
print(os.read(reader, 100).decode())
goes_on.set()
recovery.flush(time.monotonic() + 20)
print(len(list(place.dead())))  # the child lives, and has no part of the lock
os.kill(child, 9)
"""
    with Program.start(["-W", "ignore", "-c", code]) as program:
        outcome = program.wait()
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "0 True\n1\n", "")


def test_what_another_service_has_left_is_for_its_own_processes(place: Place) -> None:
    journals.write(place.directory, [span(1, end=2), Accepted(1, 0)])
    collector = Collector()
    services: set[str] = set()
    recovery = Recovery(place, lambda: [collector], lambda seconds, job: None, lambda: services)
    recovery.start()
    assert recovery.flush(later())  # nobody knows yet what this process does
    services.add("another")
    recovery.start()
    assert recovery.flush(later())
    assert (collector.ids(), len(files(place))) == ([], 2)
    services.add("dead")
    recovery.start()
    assert recovery.flush(later())
    assert (collector.ids(), files(place)) == ([1], [])
