"""A collector that is away, or misbehaves, loses nothing: real programs, a real receiver, judged by what arrived.

Each program makes sessions of two spans, one after the other, so there is an order of age to arrive in.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from support.otlp import Protocol, Receiver, Silent, Span
from support.programs import Outcome, Program, script
from support.spans import poll

from agentops_otel import clock, semconv
from agentops_otel.journal.delivery import Delivery
from agentops_otel.journal.places import Place
from agentops_otel.journal.sinks import Sinks
from agentops_otel.journal.writer import Journal
from agentops_otel.runtime import runtime
from agentops_otel.testing import fake_clock

every_protocol = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])

IMPATIENT = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
"""Exporters that soon give a batch up, which is then sent again. The SDK takes this for seconds."""


def made_by(*names: str) -> list[str]:
    """The spans of programs, in the order in which they have to arrive: see `in_order`."""
    numbered = [f"{name} {number}" for name in names for number in range(5)]
    return [*(f"session {each}" for each in numbered), *(f"step {each}" for each in numbered)]


def in_order(spans: Iterable[Span]) -> list[str]:
    """What arrived: the sessions in the order of arrival, then the steps. The exporters sort a batch by scope."""
    return sorted((span.name for span in spans), key=lambda name: name.split()[0])


@dataclass
class Programs:
    """Programs that share a journal and export to one address."""

    receiver: Receiver
    journal: Path
    protocol: Protocol = "http/protobuf"

    @contextmanager
    def start(self, name: str = "a", then: str = "stays", env: Mapping[str, str] | None = None) -> Iterator[Program]:
        ours = {
            "OTEL_PYTHON_AGENTOPS_JOURNAL": str(self.journal),
            "OTEL_LOGS_EXPORTER": "none",
            "AGENTOPS_TEST_SETUP": "configure",
            "PYTHONSAFEPATH": "",
        }
        environment = self.receiver.environment(self.protocol) | ours | IMPATIENT | dict(env or {})
        with Program.start([script("delivery_sessions"), name, "5", then], env=environment) as program:
            program.wait_for_line("made")
            yield program

    def run(self, name: str = "a", env: Mapping[str, str] | None = None) -> Outcome:
        with self.start(name, "ends", env=env) as program:
            return program.wait()

    def arrived(self) -> list[str]:
        return in_order(self.receiver.spans)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.journal.iterdir()) if self.journal.exists() else []

    def leave_nothing(self, receiver: Receiver) -> bool:
        """Whether nothing is left to be sent after a program was stopped, which may not have read the last answer.

        Then the next one sends it again, with the same ids.
        """
        if self.files():
            before = {span.span_id for span in receiver.spans}
            assert self.run("next").returncode == 0
            assert len({span.span_id for span in receiver.spans} - before) == len(made_by("next"))
        return self.files() == []


@pytest.fixture
def programs(receiver: Receiver, tmp_path: Path) -> Programs:
    return Programs(receiver, tmp_path / "journal")


def stop(program: Program) -> Outcome:
    """Has a program end, as programs do."""
    program.send(signal.SIGTERM)
    return program.wait()


# -- in the life of the program -----------------------------------------------------------------------------------
# What is new meanwhile does not wait for what is sent again: the order is that of age only among the latter.


@every_protocol
@pytest.mark.parametrize(
    ("status", "retry_after"),
    [(429, None), (429, "1"), (503, None), (503, "1"), (503, "3600"), (502, None), (504, None)],
)
def test_what_a_collector_refuses_for_now_arrives_when_it_takes_it(
    programs: Programs, protocol: Protocol, status: int, retry_after: str | None
) -> None:
    programs.protocol, receiver = protocol, programs.receiver
    receiver.status, receiver.retry_after = status, retry_after
    with programs.start() as program:
        receiver.wait_for(lambda r: r.requests["traces"] >= 2)
        assert not receiver.spans
        receiver.status = None
        receiver.wait_for(lambda r: len(r.spans) >= 10)
        assert stop(program).returncode == 0
    assert sorted(programs.arrived()) == sorted(made_by("a"))
    assert programs.leave_nothing(receiver)


@every_protocol
@pytest.mark.parametrize("silent", ["resets", "hangs"])
def test_what_a_collector_does_not_answer_arrives_when_it_does(
    programs: Programs, protocol: Protocol, silent: Silent
) -> None:
    programs.protocol, receiver = protocol, programs.receiver
    receiver.silent = silent
    with programs.start() as program:
        receiver.wait_for(lambda r: r.requests["traces"] >= 2)
        receiver.silent = None
        receiver.wait_for(lambda r: len(r.spans) >= 10)
        assert stop(program).returncode == 0
    assert sorted(programs.arrived()) == sorted(made_by("a"))
    assert programs.leave_nothing(receiver)


@every_protocol
def test_what_nobody_listens_for_arrives_when_somebody_does(programs: Programs, protocol: Protocol) -> None:
    programs.protocol, receiver = protocol, programs.receiver
    receiver.close()
    with programs.start() as program:
        poll(lambda: "Failed to export" in program.stderr or "Exception while exporting" in program.stderr)
        with Receiver(receiver.http_port, receiver.grpc_port) as back:
            back.wait_for(lambda r: len(r.spans) >= 10)
            assert stop(program).returncode == 0
            assert sorted(in_order(back.spans)) == sorted(made_by("a"))
            assert programs.leave_nothing(back)


def test_a_collector_that_is_slow_gets_everything_once(programs: Programs) -> None:
    programs.receiver.delay = 0.5
    assert programs.run().returncode == 0
    assert programs.arrived() == made_by("a")
    assert programs.files() == []


@every_protocol
def test_what_a_collector_took_without_an_answer_comes_again_with_the_same_ids(
    programs: Programs, protocol: Protocol
) -> None:
    programs.protocol, receiver = protocol, programs.receiver
    receiver.silent = "takes"
    with programs.start() as program:
        receiver.wait_for(lambda r: len(r.spans) >= 10)
        before = len(receiver.spans)
        receiver.silent = None
        receiver.wait_for(lambda r: {s.span_id for s in r.spans[before:]} == {s.span_id for s in r.spans})
        stop(program)
    assert {(span.name, span.trace_id, span.span_id) for span in receiver.spans[before:]} == {
        (span.name, span.trace_id, span.span_id) for span in receiver.spans[:before]
    }
    assert programs.leave_nothing(receiver)


def test_a_partial_success_is_a_success(programs: Programs) -> None:
    programs.receiver.rejected = 3
    assert programs.run().returncode == 0
    assert programs.run("b").returncode == 0
    assert programs.arrived() == made_by("a", "b")
    assert programs.files() == []


@every_protocol
@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_a_collector_refuses_for_good_is_never_sent_again_and_counted(
    programs: Programs, protocol: Protocol, status: int
) -> None:
    programs.protocol, receiver = protocol, programs.receiver
    receiver.status = status
    refused = programs.run()
    assert refused.returncode == 0
    assert "spans lost: the collector does not take them" in refused.stderr
    assert "in all 10 spans lost: 10 refused" in refused.stderr
    assert programs.files() == []
    receiver.status = None
    assert programs.run("b").stderr == ""
    assert programs.arrived() == made_by("b")


def test_a_program_that_has_silenced_the_exporters_learns_of_a_refusal(programs: Programs) -> None:
    programs.receiver.status = 400
    silent = programs.run(env={"AGENTOPS_TEST_SILENCED": "opentelemetry"})
    assert "Failed to export" not in silent.stderr
    assert "in all 10 spans lost: 10 refused" in silent.stderr
    assert programs.files() == []


def test_a_batch_that_is_too_large_is_sent_in_parts(programs: Programs) -> None:
    # 413 is what says so over HTTP.
    programs.receiver.most_spans = 3
    assert programs.run(env={"OTEL_BSP_SCHEDULE_DELAY": "60000"}).returncode == 0
    assert programs.arrived() == made_by("a")
    assert max(programs.receiver.batches) <= 3
    assert programs.files() == []


# -- past its end -------------------------------------------------------------------------------------------------


@every_protocol
def test_what_does_not_arrive_is_sent_by_a_later_program(programs: Programs, protocol: Protocol) -> None:
    programs.protocol, receiver = protocol, programs.receiver
    receiver.status = 503
    assert programs.run("a").returncode == 0
    assert programs.run("b").returncode == 0
    assert not receiver.spans
    receiver.status = None
    with programs.start("c") as program:
        receiver.wait_for(lambda r: len(r.spans) >= 30)
        assert stop(program).returncode == 0
    old = [name for name in programs.arrived() if " c " not in name]
    assert old == made_by("a", "b")
    assert sorted(set(programs.arrived()) - set(old)) == sorted(made_by("c"))
    assert programs.leave_nothing(receiver)


def test_a_program_whose_connection_cannot_be_trusted_loses_nothing(programs: Programs) -> None:
    secure = programs.receiver.http_endpoint.replace("http:", "https:")
    assert programs.run("a", env={"OTEL_EXPORTER_OTLP_ENDPOINT": secure}).returncode == 0
    assert not programs.receiver.spans
    assert programs.run("b").returncode == 0
    assert sorted(programs.arrived()) == sorted(made_by("a", "b"))
    assert programs.files() == []


@every_protocol
@pytest.mark.parametrize("logs", ["none", "otlp"])
def test_the_end_waits_for_a_collector_that_hangs_no_longer_than_the_user_wants(
    programs: Programs, protocol: Protocol, logs: str
) -> None:
    programs.protocol, receiver = protocol, programs.receiver
    receiver.silent = "hangs"
    patient = {"OTEL_EXPORTER_OTLP_TIMEOUT": "30", "OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "1", "OTEL_LOGS_EXPORTER": logs}
    with programs.start(env=patient) as program:
        began = time.monotonic()
        assert stop(program).returncode == 0
        assert time.monotonic() - began < 5
    receiver.silent = None
    assert programs.run("b").returncode == 0
    assert sorted(programs.arrived()) == sorted(made_by("a", "b"))


# -- without a burst ----------------------------------------------------------------------------------------------


@dataclass
class Here:
    """What sends in this process, and a provider that exports to a receiver."""

    sinks: Sinks
    journal: Journal
    provider: TracerProvider
    delivery: Delivery

    def seconds_to_next_attempt(self) -> float:
        """0 while there is none planned."""
        timer = self.delivery._timer
        return 0 if timer is None else max(0, timer.when - clock.monotonic())

    def end_spans(self, names: Sequence[str]) -> None:
        tracer = self.provider.get_tracer("tests")
        for name in names:
            tracer.start_span(name, attributes={semconv.SESSION_ID: "a"}).end()


@pytest.fixture
def here(receiver: Receiver, tmp_path: Path) -> Iterator[Here]:
    journal = Journal(Place(tmp_path / "journal"), "", 1, lambda seconds, job: None)
    sinks = Sinks(runtime.worker, journal)
    delivery = Delivery(sinks, runtime.worker)
    runtime.worker.ensure()
    sinks.install()
    provider = TracerProvider(shutdown_on_exit=False)
    # Nothing waits here but for us: a refusal comes at once.
    exporter = OTLPSpanExporter(f"{receiver.http_endpoint}/v1/traces", timeout=0.5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
    yield Here(sinks, journal, provider, delivery)
    delivery.close()
    sinks.uninstall()
    provider.shutdown()
    journal.close()


def test_a_collector_that_is_away_for_an_hour_is_asked_less_and_less_and_gets_everything_slowly(
    here: Here, receiver: Receiver
) -> None:
    names = [f"span {number}" for number in range(700)]
    time_of_test = fake_clock.SessionClock(fake_clock.START)
    with fake_clock.in_use(time_of_test):
        receiver.status = 503
        here.end_spans(names)
        here.provider.force_flush()
        before = receiver.requests["traces"]
        asked: list[float] = []
        began = clock.monotonic()
        while clock.monotonic() < began + 3600:
            poll(here.seconds_to_next_attempt)
            asked.append(here.seconds_to_next_attempt())
            time_of_test.advance(asked[-1])
            poll(lambda: receiver.requests["traces"] == before + len(asked))
        assert [round(seconds) for seconds in asked[:8]] == [1, 2, 4, 8, 16, 32, 60, 60]
        assert {round(seconds) for seconds in asked[8:]} == {60}
        poll(here.seconds_to_next_attempt)
        receiver.status = None
        time_of_test.advance(60)
        receiver.wait_for(lambda r: len(r.spans) >= len(names))
    assert [span.name for span in receiver.spans] == names
    assert receiver.batches == [1, 2, 4, 8, 16, 32, 64, 128, 256, 189]
    poll(lambda: here.journal.waiting_count() == 0)


# -- at full speed ------------------------------------------------------------------------------------------------

MANY = int(os.environ.get("AGENTOPS_TEST_MANY", "30000"))
"""Spans; `nox -s chaos` has 200,000."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("journal", [True, False])
def test_at_full_speed_nothing_is_lost_or_else_it_is_counted(receiver: Receiver, tmp_path: Path, journal: bool) -> None:
    environment = receiver.environment(metrics=True) | {
        "OTEL_PYTHON_AGENTOPS_JOURNAL": str(tmp_path) if journal else "off",
        "OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT": "120",
        "AGENTOPS_TEST_SETUP": "configure",
        "PYTHONSAFEPATH": "",
    }
    with Program.start([script("delivery_at_full_speed"), str(MANY)], env=environment) as program:
        ended = program.wait(240)
    assert ended.returncode == 0
    arrived = [span.span_id for span in receiver.spans]
    assert len(arrived) == len(set(arrived))
    measured = [
        point.value
        for metric in receiver.metrics
        if metric.name == semconv.METRIC_LOST
        for point in metric.points
        if point.attributes == {semconv.LOST_REASON: "queue_full"}
    ]
    if journal:
        assert len(arrived) == MANY
        assert not measured
        assert "lost" not in ended.stderr
    else:
        lost = MANY - len(arrived)
        assert lost > 0
        assert f"in all {lost} spans lost: {lost} queue_full\n" in ended.stderr
        assert measured[-1] == lost
