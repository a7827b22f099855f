"""What a capture gives to tests of other programs, and that the process is afterwards as it was."""

from __future__ import annotations

import gc
import sys
import threading
import unittest
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from opentelemetry import _logs, trace
from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from support import programs
from support.spans import Spans, attributes, in_use, poll

import agentops_otel as ao
from agentops_otel import clock, shield
from agentops_otel.runtime import runtime
from agentops_otel.sessions import ids
from agentops_otel.testing import CapturedScore, CountingIds, assert_session, capture_sessions

TRACER, LOGGER = trace.get_tracer("module"), _logs.get_logger("module")
"""As modules have them: from before any test, and in use in all of them."""

OPERATION = "gen_ai.operation.name"


def work() -> None:
    with ao.session("research", user_id="u", conversation_id="c", tags=["a", "b"], attributes={"k": 1}) as session:
        with TRACER.start_as_current_span("invoke_agent", attributes={OPERATION: "invoke_agent"}):
            TRACER.start_span("chat", attributes={OPERATION: "chat", "gen_ai.usage.input_tokens": 7}).end()
            TRACER.start_span("execute_tool", attributes={OPERATION: "execute_tool"}).end()
        TRACER.start_span("after").end()
        session.record_score("helpful", 0.9, label="pass", explanation="e")


class TestSession:
    def test_says_all_that_was_written(self) -> None:
        with capture_sessions() as captured:
            work()
            session = captured.only()
        assert (session.name, session.user_id, session.conversation_id, session.tags) == (
            "research",
            "u",
            "c",
            ("a", "b"),
        )
        assert (session.state, session.reason, session.error) == (ao.EndState.SUCCESS, ao.EndReason.COMPLETED, None)
        assert session.attributes["k"] == 1
        totals = {"inference.calls": 1, "tool.calls": 1, "agent.calls": 1, "usage.input_tokens": 7}
        assert totals.items() <= session.totals.items()
        assert not [name for name in session.totals if name.startswith("end")]
        assert session.scores == (CapturedScore("helpful", 0.9, "pass", "e"),)
        assert [log.name for log in session.logs] == ["session.start", "gen_ai.evaluation.result", "session.end"]
        assert session.logs[2].attributes["agentops.session.duration"] == pytest.approx(session.duration)
        agent, after = session.spans
        assert [span.name for span in session.walk()][1:] == ["invoke_agent", "chat", "execute_tool", "after"]
        assert [child.name for child in agent.children] == ["chat", "execute_tool"]
        assert (after.status, after.error, after.attributes["session.id"]) == ("UNSET", None, session.id)
        assert 0 <= after.duration <= session.duration

    def test_says_what_went_wrong(self) -> None:
        def fail() -> None:
            with ao.session(), TRACER.start_as_current_span("chat"):
                raise ValueError("no such model")

        with capture_sessions() as captured:
            with pytest.raises(ValueError, match="no such model"):
                fail()
            said = ao.start_session("said")
            said.end("error")
        failed, said_so = captured.sessions
        assert (failed.state, failed.reason) == ("error", "exception")
        assert failed.error == failed.span("chat").error == "ValueError: no such model"
        [event] = failed.span("chat").events
        assert (event.name, event.attributes["exception.type"]) == ("exception", "ValueError")
        assert (said_so.name, said_so.error) == ("said", "_OTHER")

    def test_is_a_tree_to_read(self) -> None:
        with capture_sessions() as captured:
            captured.use_clock()
            work()
            with pytest.raises(ValueError), ao.session("odd\n\x1b[31m"):
                raise ValueError
            tree = str(captured)
        assert tree.splitlines() == [
            f"session research  success/completed  0 s  id {1:032x}",
            "│  conversation: c",
            "│  user: u",
            "│  tags: a, b",
            "│  totals: " + ", ".join(f"{name} {value}" for name, value in captured.sessions[0].totals.items()),
            "│  scores: helpful 0.9 pass",
            "├─ invoke_agent  0 s",
            "│  ├─ chat  0 s",
            "│  └─ execute_tool  0 s",
            "└─ after  0 s",
            rf"session odd\n\x1b[31m  error/exception  0 s  ERROR ValueError:  id {2:032x}",
        ]
        assert str(captured.sessions[0].spans[0]) == "invoke_agent  0 s\n├─ chat  0 s\n└─ execute_tool  0 s"

    def test_has_its_scores_also_where_they_stand_on_spans(self) -> None:
        with capture_sessions(everywhere=False) as captured:
            with ao.session() as session:
                session.record_score("on the root", 1)
            session.record_score("on a span of its own", label="pass")
        assert {score.name for score in captured.only().scores} == {"on the root", "on a span of its own"}

    def test_has_the_spans_whose_parent_is_still_open(self) -> None:
        with capture_sessions() as captured, ao.session():
            parent = TRACER.start_span("open")
            TRACER.start_span("below", context=trace.set_span_in_context(parent)).end()
            ao.end_all_sessions()
            assert [span.name for span in captured.only().spans] == ["below"]
            parent.end()
            assert [span.name for span in captured.only().spans] == ["open"]
            assert captured.only().span("below").name == "below"

    def test_of_which_somebody_else_ended_the_root_says_nothing_of_its_end(self) -> None:
        with capture_sessions() as captured, ao.session():
            record: Any = trace.get_current_span()
            record.span.end()
            session = captured.only()
        assert (session.name, session.state, session.reason) == (None, None, None)
        assert str(session).startswith("session  ?/?  ")

    def test_has_one_span_by_name(self) -> None:
        with capture_sessions() as captured:
            work()
        assert captured.only().span("chat").attributes[OPERATION] == "chat"
        with pytest.raises(AssertionError, match=r"0 spans are named 'nothing' in\nsession research"):
            captured.only().span("nothing")


class TestCapture:
    def test_lists_sessions_by_their_starts(self) -> None:
        with capture_sessions() as captured:
            started = [ao.start_session(f"{number}") for number in range(3)]
            for session in reversed(started):
                session.end()
            assert [session.name for session in captured.sessions] == ["0", "1", "2"]

    def test_has_only_one_session_or_shows_them_all(self) -> None:
        with capture_sessions() as captured:
            with pytest.raises(AssertionError, match=r"^0 sessions have ended\nno session$"):
                captured.only()
            kept = ao.start_session("kept")
            with pytest.raises(AssertionError, match=r"^0 sessions have ended\n<session 'kept' 0+1> is open$"):
                captured.only()
            for _ in range(2):
                work()
            with pytest.raises(AssertionError, match=r"(?s)^2 sessions have ended\nsession research.*session research"):
                captured.only()
            kept.end()
            assert captured.only("kept").name == "kept"
            with pytest.raises(AssertionError, match=r"^2 sessions named 'research' have ended\n"):
                captured.only("research")

    def test_can_be_read_when_it_is_over(self) -> None:
        with capture_sessions() as captured:
            left = ao.start_session("left open")
            child = TRACER.start_span("child")
        assert_session(captured, state="unknown", reason="provider_shutdown", spans=["child"])
        assert not left.is_open
        assert not child.is_recording()

    def test_notices_a_session_that_was_dropped(self) -> None:
        def drop() -> None:
            ao.start_session("dropped")
            gc.collect()
            assert captured.only().reason == "garbage_collected"

        with capture_sessions() as captured, pytest.warns(ResourceWarning, match="was never ended"):
            drop()

    def test_has_the_ids_count_up_anew(self) -> None:
        for _ in range(2):
            with capture_sessions() as captured:
                work()
                work()
            assert [int(session.id, 16) for session in captured.sessions] == [1, 2]
            assert [int(session.root.trace_id, 16) for session in captured.sessions] == [1, 2]
            assert [int(span.span_id, 16) for span in captured.sessions[1].walk()] == [6, 7, 8, 9, 10]

    def test_has_tracers_of_earlier_ones_write_to_it(self) -> None:
        with capture_sessions() as captured:
            mine = captured.tracer_provider.get_tracer("mine")
            with ao.session(), mine.start_as_current_span("first"):
                pass
            assert [span.name for span in captured.only().spans] == ["first"]
        with capture_sessions() as captured:
            with ao.session(), mine.start_as_current_span("second"):
                TRACER.start_span("third").end()
                LOGGER.emit(LogRecord(event_name="event"))
            assert_session(captured, spans=[("second", ["third"])])
            assert [log.name for log in captured.only().logs] == ["session.start", "event", "session.end"]
        assert not mine.start_span("nowhere").is_recording()
        LOGGER.emit(LogRecord(event_name="nowhere"))

    def test_hears_nothing_of_spans_of_an_earlier_one_that_have_the_same_ids(self) -> None:
        with capture_sessions():
            late = TRACER.start_span("late", context=Context())
        with capture_sessions() as captured, ao.session() as session:
            assert trace.get_current_span().get_span_context() == late.get_span_context()
            late.end()
            assert session.is_open
            assert captured.spans == []

    def test_in_another_leaves_that_one_alone(self) -> None:
        with capture_sessions() as outer:
            before = outer.tracer_provider.get_tracer("outer")
            open_session = ao.start_session("outer")
            with capture_sessions() as inner:
                assert ao.current_session() is None
                with ao.session("inner"):
                    before.start_span("of the outer provider", context=Context()).end()
                assert inner.only().name == "inner"
            assert open_session.is_open
            assert ao.current_session() is open_session
            open_session.end()
        assert outer.only().name == "outer"
        assert [span.name for span in outer.spans] == ["of the outer provider", "session outer"]

    def test_takes_a_sampler_and_more_processors(self) -> None:
        seen = []

        class Seeing(SpanProcessor):
            def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
                seen.append(span.name)

        with capture_sessions(processors=[Seeing()]):
            work()
        assert seen[0] == "session research"
        with capture_sessions(sampler=ALWAYS_OFF) as captured:
            work()
        assert captured.spans == []

    def test_works_where_the_sdk_is_disabled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        with capture_sessions() as captured:
            work()
        assert len(captured.only().logs) == 3

    def test_only_of_sessions_leaves_the_global_providers_alone(self) -> None:
        before = trace.get_tracer_provider(), _logs.get_logger_provider()
        with capture_sessions(everywhere=False) as captured:
            assert (trace.get_tracer_provider(), _logs.get_logger_provider()) == before
            with ao.session(), captured.tracer_provider.get_tracer("mine").start_as_current_span("mine"):
                TRACER.start_span("elsewhere").end()
        assert_session(captured, spans=["mine"])

    def test_is_for_unittest_too(self) -> None:
        class Test(unittest.TestCase):
            def test(self) -> None:
                with capture_sessions() as captured:
                    work()
                assert_session(captured, name="research", state="error")

        result = unittest.TestResult()
        Test("test").run(result)
        [(_, said)] = result.failures
        assert "state is 'success', not 'error'\nsession research  success/completed" in said
        assert result.errors == []


def state_of_the_process() -> list[Any]:
    """What a capture might change."""
    return [
        trace.get_tracer_provider(),
        _logs.get_logger_provider(),
        runtime.provider(),
        runtime.settings,
        list(runtime._sources),
        runtime.registry.open_records(),
        set(runtime.registry._over),
        set(runtime.registry._ending),
        [*runtime.registry.recent._young, *runtime.registry.recent._old],
        sys.excepthook,
        threading.excepthook,
        shield.reraise,
        (clock.time_ns, clock.monotonic, ids.new_id),
        trace.get_current_span(),
    ]


class TestAfterwards:
    kept: object

    def leave_open(self) -> None:
        self.kept = ao.start_session("left open"), TRACER.start_span("child")

    def outlive(self) -> None:
        with ao.session("s"):
            self.kept = TRACER.start_span("outlives its session")

    def set_up(self) -> None:
        ao.configure(tracer_provider=TracerProvider(shutdown_on_exit=False), exit_timeout=17)
        self.kept = ao.start_session("of another provider")

    def outlive_there(self) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        ao.configure(tracer_provider=provider)
        with ao.session("s"):
            self.kept = provider.get_tracer("there").start_span("outlives its session")

    def shut_down(self) -> None:
        self.kept = ao.start_session("left open")
        trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]

    @pytest.mark.parametrize("do", [leave_open, outlive, set_up, outlive_there, shut_down])
    def test_the_process_is_as_it_was(self, do: Callable[[TestAfterwards], None]) -> None:
        before = state_of_the_process()
        with capture_sessions() as captured:
            captured.use_clock()
            do(self)
        assert state_of_the_process() == before

    def test_the_process_is_as_it_was_also_when_the_test_fails(self) -> None:
        before = state_of_the_process()

        def fail() -> None:
            with capture_sessions() as captured, ao.session("s"):
                captured.use_clock()
                raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            fail()
        assert state_of_the_process() == before

    def test_its_sessions_are_forgotten(self) -> None:
        with capture_sessions(), ao.session("first", id="known"):
            pass
        with capture_sessions() as captured, ao.session("second", previous_id="known"):
            pass
        assert captured.only().attributes["session.previous_id"] == "known"
        assert captured.spans[0].links == ()

    def test_a_provider_of_the_test_has_its_own_shutdown_again(self, spans: Spans) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        with capture_sessions():
            ao.configure(tracer_provider=provider)
            assert "shutdown" in vars(provider)
        assert "shutdown" not in vars(provider)
        assert "shutdown" in vars(spans.provider)

    def test_nothing_is_kept_of_it_by_a_tracer(self) -> None:
        with capture_sessions() as captured:
            tracer = captured.tracer_provider.get_tracer("kept")
            with ao.session():
                tracer.start_span("child").end()
            there = weakref.ref(captured.tracer_provider)
        del captured
        gc.collect()
        assert there() is None

    def test_a_provider_that_was_set_gets_the_sessions_again(self) -> None:
        outcome = programs.run(
            [
                "-c",
                """
import agentops_otel as ao
from agentops_otel.testing import capture_sessions
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
provider, exporter = TracerProvider(), InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with ao.session("before"): pass
kept = ao.start_session("kept")
for _ in range(2):
    with capture_sessions() as captured, ao.session("captured"):
        trace.get_tracer("t").start_span("child").end()
    assert [span.name for span in captured.only().spans] == ["child"], captured
assert kept.is_open and ao.current_session() is kept
kept.end()
with ao.session("after"): trace.get_tracer("t").start_span("child").end()
kept = ao.start_session("open at the shutdown")
provider.shutdown()
print([span.name for span in exporter.get_finished_spans()], len(provider._active_span_processor._span_processors))
""",
            ]
        )
        names = ["session before", "session kept", "child", "session after", "session open at the shutdown"]
        assert (outcome.stdout, outcome.stderr) == (f"{names} 2\n", "")

    def test_the_global_provider_can_be_set_though_not_meanwhile(self) -> None:
        outcome = programs.run(
            [
                "-c",
                """
from agentops_otel.testing import capture_sessions
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
provider, logs = TracerProvider(), LoggerProvider()
with capture_sessions() as captured:
    trace.set_tracer_provider(provider)
    _logs.set_logger_provider(logs)
    assert trace.get_tracer_provider() is captured.tracer_provider
    assert _logs.get_logger_provider() is captured.logger_provider
print("then")
trace.set_tracer_provider(provider)
_logs.set_logger_provider(logs)
assert (trace.get_tracer_provider(), _logs.get_logger_provider()) == (provider, logs)
""",
            ]
        )
        assert outcome.stdout == "then\n"
        refused = [f"Overriding of current {kind}Provider is not allowed" for kind in ("Tracer", "Logger")]
        assert outcome.stderr.splitlines() == refused

    def test_pytest_was_not_needed(self) -> None:
        script = """
import sys
sys.modules["pytest"] = sys.modules["_pytest"] = None
from agentops_otel.testing import capture_sessions
import agentops_otel as ao
with capture_sessions() as captured, ao.session("s"): pass
print(captured.only().name)
"""
        outcome = programs.run(["-c", script])
        assert (outcome.stdout, outcome.stderr) == ("s\n", "")


class TestMistakes:
    class Broken(SpanProcessor):
        def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
            raise ZeroDivisionError

    def test_of_this_package_are_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shield, "reraise", False)
        with capture_sessions(processors=[self.Broken()]), pytest.raises(ZeroDivisionError):
            ao.start_session()
        with in_use(Spans(after=[self.Broken()])):
            ao.start_session().end()

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    @pytest.mark.parametrize("begin", [capture_sessions, lambda: in_use(Spans())], ids=["capture", "isolated"])
    def test_on_its_own_thread_fail_the_test(self, begin: Callable[[], AbstractContextManager[object]]) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        def capture() -> None:
            with begin(), ao.session():
                runtime.worker.ensure()
                runtime.worker.post(fail)
                runtime.worker._thread.join(20)  # type: ignore[union-attr]

        with pytest.raises(AssertionError, match="the thread of agentops_otel died"):
            capture()
        with capture_sessions() as captured:
            with ao.session():
                TRACER.start_span("dropped")
                poll(lambda: captured.spans)
        assert captured.only().spans[0].attributes["agentops.session.end_reason"] == "garbage_collected"


class TestAssertSession:
    def test_returns_the_session_that_is_as_expected(self) -> None:
        with capture_sessions() as captured:
            work()
        session = assert_session(
            captured,
            name="research",
            state="success",
            reason=ao.EndReason.COMPLETED,
            attributes={"k": 1, "user.id": "u"},
            totals={"tool.calls": 1},
            spans=[("invoke_agent", ["chat", ("execute_tool", [])]), "after"],
        )
        assert session == captured.only()
        assert assert_session(session, spans=["invoke_agent", "after"]) is session

    @pytest.mark.parametrize(
        ("expected", "said"),
        [
            ({"state": "error"}, "state is 'success', not 'error'"),
            ({"reason": ao.EndReason.TIMEOUT}, "reason is 'completed', not 'timeout'"),
            ({"error": "boom"}, "error is None, not 'boom'"),
            ({"attributes": {"k": 2}}, "attributes['k'] is 1, not 2"),
            ({"totals": {"errors": 1}}, "totals['errors'] is None, not 1"),
            ({"spans": []}, "spans are [('invoke_agent', ['chat', 'execute_tool']), 'after'], not []"),
            ({"spans": [("other", ["chat", "execute_tool"]), "after"]}, "spans are"),
            ({"spans": ["invoke_agent", ("after", ["x"])]}, "'after'], not ['invoke_agent', ('after', ['x'])]"),
            ({"spans": [("invoke_agent", ["execute_tool", "chat"]), "after"]}, "spans are"),
            ({"state": "error", "reason": "timeout"}, "'error'\nreason is"),
        ],
    )
    def test_says_what_differs_and_shows_the_tree(self, expected: dict[str, Any], said: str) -> None:
        with capture_sessions() as captured:
            work()
        with pytest.raises(AssertionError) as caught:
            assert_session(captured, **expected)
        assert said in str(caught.value)
        assert str(caught.value).endswith(f"\n{captured.only()}")

    def test_compares_the_one_of_a_name(self) -> None:
        with capture_sessions() as captured:
            work()
            with ao.session("other"):
                pass
        assert assert_session(captured, name="other", spans=[]).name == "other"
        with pytest.raises(AssertionError, match="2 sessions have ended"):
            assert_session(captured)
        with pytest.raises(AssertionError, match="name is 'other', not 'research'"):
            assert_session(captured.only("other"), name="research")

    def test_refuses_a_state_that_is_none(self) -> None:
        with capture_sessions() as captured:
            work()
        with pytest.raises(ValueError, match="'fine' is not a valid EndState"):
            assert_session(captured, state="fine")


def test_counting_ids_are_unique_among_threads() -> None:
    ids = CountingIds()
    with ThreadPoolExecutor(8) as pool:
        given = list(
            pool.map(lambda _: (ids.generate_trace_id(), ids.generate_span_id(), ids.session_id()), range(4000))
        )
    for kind in zip(*given, strict=True):
        assert len(set(kind)) == 4000


def test_what_others_capture_is_not_seen_here(spans: Spans) -> None:
    with capture_sessions() as captured, ao.session("captured"):
        pass
    with ao.session("here"):
        pass
    assert [session.name for session in captured.sessions] == ["captured"]
    assert spans.names() == ["session here"]
    assert len(attributes(spans.root())["session.id"].strip("0")) > 8
