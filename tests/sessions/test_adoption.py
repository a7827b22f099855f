"""Runs that an instrumentation marks are sessions: what they are, how they end, and what else is in their trace."""

from __future__ import annotations

import asyncio
import builtins
import gc
import signal
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode
from support.deaths import GARBAGE_COLLECTED, PROCESS_EXIT, PROVIDER_SHUTDOWN, Deaths, End, failed, signalled
from support.other_signals import Logs
from support.spans import Spans, attributes, context_of, ending, in_use

import agentops_otel as ao
from agentops_otel.config import RUNS
from agentops_otel.runtime import runtime
from agentops_otel.sessions.adoption import hinted

CONVERSATION, OPERATION, SESSION = "gen_ai.conversation.id", "gen_ai.operation.name", "session.id"


def run(spans: Spans, name: str = "agent", **said: Any) -> AbstractContextManager[trace.Span]:
    """What an instrumentation does around a run of an agent."""
    return spans.tracer.start_as_current_span(f"invoke_agent {name}", attributes=marks(name, **said))


def marks(name: str = "agent", **said: Any) -> dict[str, Any]:
    return {OPERATION: "invoke_agent", "gen_ai.agent.name": name, **said}


def chat(spans: Spans, tokens: int = 1) -> None:
    spans.tracer.start_span("chat", attributes={OPERATION: "chat", "gen_ai.usage.input_tokens": tokens}).end()


def sessions(spans: Spans) -> dict[str, ReadableSpan]:
    """The roots of sessions, by their names."""
    return {span.name: span for span in spans.all() if "agentops.session.end_state" in attributes(span)}


class TestRoot:
    def test_is_the_span_itself_with_a_session_id(self, spans: Spans) -> None:
        with run(spans):
            chat(spans)
        inner, root = spans.all()
        assert root.name == "invoke_agent agent"
        assert root.parent is None
        assert attributes(root)[OPERATION] == "invoke_agent"
        assert attributes(inner)[SESSION] == attributes(root)[SESSION]
        assert ending(root) == ("success", "completed", "UNSET")

    def test_counts_what_is_in_it_and_itself(self, spans: Spans) -> None:
        with run(spans):
            chat(spans, 3)
            with run(spans, "inner"):
                chat(spans, 4)
        said = attributes(sessions(spans)["invoke_agent agent"])
        totals = ("inference.calls", "agent.calls", "usage.input_tokens")
        assert [said[f"agentops.session.{name}"] for name in totals] == [2, 2, 7]

    def test_is_the_session_that_is_current(self, spans: Spans) -> None:
        with run(spans, "agent"):
            current = ao.current_session()
            assert current is not None
            assert (current.name, current.is_open, ao.open_sessions()) == ("agent", True, [current])
            current.set_attribute("k", 1)
            current.add_tags("t")
        assert not current.is_open
        said = attributes(spans.all()[0])
        assert (said["k"], said["agentops.tags"], said[SESSION]) == (1, ("t",), current.id)

    def test_may_bring_its_session_id(self, spans: Spans) -> None:
        with run(spans, **{SESSION: "mine"}):
            chat(spans)
        assert {attributes(span)[SESSION] for span in spans.all()} == {"mine"}

    @pytest.mark.parametrize("senseless", ["", 7, "a\nb", "x" * 300])
    def test_that_brings_a_senseless_session_id_keeps_it_for_itself(self, spans: Spans, senseless: Any) -> None:
        with run(spans, **{SESSION: senseless}):
            chat(spans)
        inner, root = spans.all()
        assert attributes(root)[SESSION] == senseless
        assert attributes(inner)[SESSION] not in ("", senseless)

    @pytest.mark.parametrize(
        ("scope", "name", "said"),
        [
            ("tests", "anything", {OPERATION: "invoke_agent"}),
            ("tests", "anything", {OPERATION: "invoke_workflow"}),
            ("tests", "anything", {"openinference.span.kind": "AGENT"}),
            ("tests", "anything", {"openinference.span.kind": "CHAIN"}),
            ("gcp.vertex.agent", "invocation", {}),
            ("strands.telemetry.tracer", "invoke_agent geographer", {}),
        ],
    )
    def test_is_known_by_its_operation_kind_or_scope(
        self, spans: Spans, scope: str, name: str, said: Mapping[str, str]
    ) -> None:
        spans.provider.get_tracer(scope).start_span(name, attributes=said).end()
        assert list(sessions(spans)) == [name]

    @pytest.mark.parametrize(
        ("scope", "name", "said"),
        [
            ("tests", "invoke_agent", {}),
            ("tests", "invocation", {}),
            ("gcp.vertex.agent", "call_llm", {}),
            ("tests", "a", {OPERATION: "chat"}),
            ("tests", "a", {OPERATION: "create_agent"}),
            ("tests", "a", {OPERATION: ["invoke_agent"]}),
            ("tests", "a", {"openinference.span.kind": "LLM"}),
        ],
    )
    def test_is_nothing_else(self, spans: Spans, scope: str, name: str, said: Mapping[str, Any]) -> None:
        spans.provider.get_tracer(scope).start_span(name, attributes=said).end()
        assert sessions(spans) == {}
        assert SESSION not in attributes(spans.all()[0])

    def test_may_be_one_of_further_operations(self, spans: Spans) -> None:
        ao.configure(tracer_provider=spans.provider, adopt=["crew"])
        try:
            for operation in ("crew", "invoke_agent"):
                spans.tracer.start_span(operation, attributes={OPERATION: operation}).end()
        finally:
            runtime.set(adopted=RUNS)
        assert list(sessions(spans)) == ["crew", "invoke_agent"]

    def test_is_none_where_that_is_switched_off(self, spans: Spans) -> None:
        ao.configure(tracer_provider=spans.provider, adopt=False)
        try:
            with run(spans):
                assert ao.current_session() is None
        finally:
            runtime.set(adopted=RUNS)
        assert sessions(spans) == {}

    def test_is_none_where_instrumentation_is_suppressed(self, spans: Spans) -> None:
        with suppress_instrumentation(), run(spans):
            assert ao.current_session() is None
        with run(spans, "next"):
            pass
        assert list(sessions(spans)) == ["invoke_agent next"]

    @pytest.mark.parametrize(("wrong", "error"), [("crew", TypeError), (1, TypeError), ([""], ValueError)])
    def test_is_chosen_by_what_makes_sense(self, wrong: Any, error: type[Exception]) -> None:
        with pytest.raises(error, match="adopt"):
            ao.configure(adopt=wrong)

    def test_in_a_session_is_a_part_of_it(self, spans: Spans) -> None:
        with ao.session("mine") as session, run(spans):
            assert ao.current_session() == session
        assert [span.name for span in spans.all()] == ["invoke_agent agent", "session mine"]
        assert {attributes(span)[SESSION] for span in spans.all()} == {session.id}
        assert sessions(spans).keys() == {"session mine"}

    def test_in_a_session_elsewhere_is_a_part_of_it(self, spans: Spans) -> None:
        carrier = {"traceparent": f"00-{1:032x}-{2:016x}-01", "baggage": "session.id=theirs"}
        with ao.join_session(carrier), run(spans):
            pass
        assert attributes(spans.all()[0])[SESSION] == "theirs"
        assert sessions(spans) == {}

    def test_is_one_again_in_the_context_of_a_session_that_is_over(self, spans: Spans) -> None:
        with ao.session("mine"):
            here = context.get_current()
        token = context.attach(here)
        with run(spans):
            pass
        context.detach(token)
        assert list(sessions(spans)) == ["session mine", "invoke_agent agent"]

    def test_takes_sessions_that_are_started_in_it_for_sessions_of_their_own(self, spans: Spans) -> None:
        with run(spans), ao.session("mine"):
            chat(spans)
        own = sessions(spans)["session mine"]
        assert own.parent is None
        assert [link.context for link in own.links] == [context_of(sessions(spans)["invoke_agent agent"])]

    def test_goes_along_into_threads(self, spans: Spans) -> None:
        with run(spans):
            thread = threading.Thread(target=chat, args=(spans,))
            thread.start()
            thread.join()
        assert len({attributes(span)[SESSION] for span in spans.all()}) == 1
        assert len({context_of(span).trace_id for span in spans.all()}) == 1

    def test_can_be_made_current_elsewhere(self, spans: Spans) -> None:
        with run(spans):
            session = ao.current_session()
            assert session is not None
            token = context.attach(context.Context())
            with session.attach():
                chat(spans)
            context.detach(token)
        assert attributes(spans.by_name("chat"))[SESSION] == session.id

    def test_is_tracked_once_by_two_processors(self) -> None:
        with in_use(Spans(before=[ao.SessionSpanProcessor()], after=[ao.SessionSpanProcessor()])) as spans:
            with run(spans):
                chat(spans)
            assert [span.name for span in spans.all()] == ["chat", "invoke_agent agent"]
            assert attributes(spans.all()[1])["agentops.session.inference.calls"] == 1

    def test_has_the_events_of_a_session(self, spans: Spans) -> None:
        with Logs().in_use() as logs:
            with run(spans):
                pass
            root = spans.all()[0]
            events = [(log.event_name, log.span_id) for log in logs.all()]
        assert events == [(name, context_of(root).span_id) for name in ("session.start", "session.end")]


class TestIds:
    def test_are_learned_from_what_is_written_on_the_root(self, spans: Spans) -> None:
        with run(spans) as root:
            root.set_attribute(CONVERSATION, "c")
            session = ao.current_session()
        assert session is not None
        assert session.conversation_id == "c"

    def test_are_those_it_brings(self, spans: Spans) -> None:
        with run(spans, **{CONVERSATION: "c", "user.id": "u"}):
            chat(spans)
        assert [(attributes(span)[CONVERSATION], attributes(span)["user.id"]) for span in spans.all()] == 2 * [
            ("c", "u")
        ]

    def test_may_come_in_the_baggage(self, spans: Spans) -> None:
        token = context.attach(baggage.set_baggage(CONVERSATION, "c"))
        with run(spans):
            pass
        context.detach(token)
        assert attributes(spans.all()[0])[CONVERSATION] == "c"

    def test_may_be_hinted(self, spans: Spans) -> None:
        with hinted(conversation_id="c"), run(spans):
            chat(spans)
        with run(spans, "next"):
            pass
        assert [attributes(span).get(CONVERSATION) for span in spans.all()] == ["c", "c", None]

    def test_that_are_hinted_are_less_than_those_it_brings(self, spans: Spans) -> None:
        with hinted(conversation_id="c"), run(spans, **{CONVERSATION: "own"}):
            pass
        assert attributes(spans.all()[0])[CONVERSATION] == "own"

    def test_that_are_hinted_are_learned_by_a_session_around(self, spans: Spans) -> None:
        with ao.session("mine") as session, hinted(conversation_id="c"), run(spans):
            chat(spans)
        assert session.conversation_id == "c"
        assert {attributes(span).get(CONVERSATION) for span in spans.all()} == {"c"}

    @pytest.mark.parametrize("senseless", ["", None, 7, "a\nb"])
    def test_that_make_no_sense_are_left_out(self, spans: Spans, senseless: Any) -> None:
        with hinted(conversation_id=senseless), run(spans):
            pass
        assert CONVERSATION not in attributes(spans.all()[0])


class TestBelowARequest:
    def test_stays_the_child_of_it_and_each_run_is_a_session(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("GET /") as request:
            for name in ("first", "second"):
                with run(spans, name):
                    chat(spans)
            chat(spans)
        first, second = sessions(spans).values()
        for root in (first, second):
            assert root.parent is not None
            assert root.parent.span_id == request.get_span_context().span_id
            [inner] = [span for span in spans.all() if span.parent == root.context]
            assert attributes(inner)[SESSION] == attributes(root)[SESSION]
            assert attributes(root)["agentops.session.inference.calls"] == 1
        assert attributes(first)[SESSION] != attributes(second)[SESSION]
        outside = [span for span in spans.all() if SESSION not in attributes(span)]
        assert [span.name for span in outside] == ["chat", "GET /"]

    def test_runs_at_the_same_time_are_told_apart(self, spans: Spans) -> None:
        async def one(name: str) -> None:
            with run(spans, name):
                await asyncio.sleep(0)
                with spans.tracer.start_as_current_span(name):
                    await asyncio.sleep(0)
                    assert (found := ao.current_session()) is not None
                    assert found.name == name
                    chat(spans)

        async def many() -> None:
            await asyncio.gather(*(one(str(number)) for number in range(5)))

        with spans.tracer.start_as_current_span("GET /"):
            asyncio.run(many())
        for name, root in sessions(spans).items():
            of_session = [s for s in spans.all() if attributes(s).get(SESSION) == attributes(root)[SESSION]]
            assert {s.name for s in of_session} == {name, name.removeprefix("invoke_agent "), "chat"}

    def test_what_outlives_a_run_stays_in_its_session(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("GET /"):
            with run(spans, "first") as root:
                step = spans.tracer.start_span("step")
            late = spans.tracer.start_span("late", context=trace.set_span_in_context(step))
            step.end()
            late.end()
        assert {attributes(spans.by_name(name))[SESSION] for name in ("step", "late")} == {
            attributes(spans.by_name("invoke_agent first"))[SESSION]
        }
        assert root is not None

    def test_leaves_nothing_behind(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("GET /"):
            for number in range(3):
                with run(spans, str(number)):
                    chat(spans)
        spans.all()
        assert runtime.registry.shared._members == {}
        assert runtime.registry._over == {}


def generator(spans: Spans) -> Generator[int, None, None]:
    with run(spans):
        yield 1
        yield 2


def unwound(error: BaseException) -> Callable[[Spans], None]:
    def leave(spans: Spans) -> None:
        with suppress(type(error)), run(spans):
            raise error

    return leave


def with_status(status: Status, **said: str) -> Callable[[Spans], None]:
    def leave(spans: Spans) -> None:
        with run(spans) as root:
            root.set_attributes(said)
            root.set_status(status)

    return leave


async def _cancelled(spans: Spans) -> None:
    async def forever() -> None:
        with run(spans):
            await asyncio.Event().wait()

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _async_generator_left(spans: Spans) -> None:
    async def steps() -> AsyncIterator[int]:
        with run(spans):
            yield 1

    iterator = steps()
    await anext(iterator)
    await iterator.aclose()  # type: ignore[attr-defined]


def decorated_and_closed(spans: Spans) -> None:
    @ao.agent("agent")
    def steps() -> Generator[int, None, None]:
        yield 1

    iterator = steps()
    next(iterator)
    iterator.close()


def closed(spans: Spans) -> None:
    steps = generator(spans)
    next(steps)
    steps.close()


class Stream:
    """As instrumentations hand it out, which call it an error or a success when nobody reads it any longer."""

    def __init__(self, spans: Spans, status: Status) -> None:
        self._root = spans.tracer.start_span("run", attributes=marks())
        self._status = status

    def __del__(self) -> None:
        self._root.set_status(self._status)
        self._root.end()


class TestEnd:
    @pytest.mark.parametrize(
        ("leave", "end", "status"),
        [
            (unwound(ValueError("no")), ("error", "exception"), "ERROR"),
            (unwound(KeyboardInterrupt()), ("unknown", "signal"), "UNSET"),
            (unwound(SystemExit(1)), ("unknown", "process_exit"), "UNSET"),
            (closed, ("unknown", "cancelled"), "UNSET"),
            (decorated_and_closed, ("unknown", "cancelled"), "UNSET"),
            (lambda spans: asyncio.run(_cancelled(spans)), ("unknown", "cancelled"), "UNSET"),
            (lambda spans: asyncio.run(_async_generator_left(spans)), ("unknown", "cancelled"), "UNSET"),
            (with_status(Status(StatusCode.ERROR, "why")), ("error", "exception"), "ERROR"),
            (
                with_status(Status(StatusCode.ERROR), **{"error.type": "asyncio.exceptions.CancelledError"}),
                ("unknown", "cancelled"),
                "ERROR",
            ),
            (with_status(Status(StatusCode.OK)), ("success", "completed"), "OK"),
        ],
        ids=[
            "error",
            "interrupt",
            "exit",
            "closed",
            "decorated and closed",
            "cancelled",
            "aclosed",
            "said error",
            "said cancelled",
            "said ok",
        ],
    )
    def test_tells_how_the_run_was_left(
        self, spans: Spans, leave: Callable[[Spans], object], end: tuple[str, str], status: str
    ) -> None:
        leave(spans)
        assert ending(sessions(spans)["invoke_agent agent"]) == (*end, status)

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="has no groups of exceptions")
    def test_of_a_group_is_told_by_what_is_no_error_in_it(self, spans: Spans) -> None:
        group: Any = vars(builtins)["BaseExceptionGroup"]
        unwound(group("tasks", [ValueError("no"), group("more", [SystemExit(1)])]))(spans)
        assert ending(spans.all()[0]) == ("unknown", "process_exit", "UNSET")

    def test_is_counted_with_the_tokens_that_it_says_itself(self, spans: Spans) -> None:
        with run(spans) as root:
            root.set_attribute("gen_ai.usage.output_tokens", 5)
        told = attributes(spans.all()[0])
        assert (told["agentops.session.usage.output_tokens"], told["agentops.session.inference.calls"]) == (5, 1)

    def test_is_counted_with_the_tokens_of_the_calls_in_it_where_there_are_any(self, spans: Spans) -> None:
        with run(spans) as root:
            chat(spans, 7)
            root.set_attribute("gen_ai.usage.input_tokens", 7)
        assert attributes(sessions(spans)["invoke_agent agent"])["agentops.session.usage.input_tokens"] == 7

    def test_keeps_what_the_framework_says_of_an_error(self, spans: Spans) -> None:
        with_status(Status(StatusCode.ERROR, "why"), **{"error.type": "rate_limit"})(spans)
        root = spans.all()[0]
        assert (root.status.description, attributes(root)["error.type"]) == ("why", "rate_limit")

    def test_takes_the_type_of_an_error_from_the_exception_that_was_recorded(self, spans: Spans) -> None:
        unwound(ValueError("no"))(spans)
        root = spans.all()[0]
        assert (root.status.description, attributes(root)["error.type"]) == ("ValueError: no", "ValueError")
        assert [event.name for event in root.events] == ["exception"]

    def test_is_not_told_by_an_exception_that_was_passing_before(self, spans: Spans) -> None:
        try:
            raise SystemExit(1)
        except SystemExit:
            with run(spans):
                pass
        assert ending(spans.all()[0]) == ("success", "completed", "UNSET")

    def test_may_be_at_a_time_that_the_framework_says(self, spans: Spans) -> None:
        root = spans.tracer.start_span("run", attributes=marks())
        assert isinstance(root, ReadableSpan)
        assert root.start_time is not None
        root.end(root.start_time + 5)
        assert spans.all()[0].end_time == root.start_time + 5

    def test_may_be_said_by_the_user(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        with run(spans) as root:
            session = ao.current_session()
            assert session is not None
            session.end("success")
            root.set_attribute("late", 1)
            chat(spans)
        assert ending(sessions(spans)["invoke_agent agent"]) == ("success", "completed", "OK")
        assert spans.by_name("chat").parent is None
        assert caplog.messages == []

    def test_leaves_what_is_open_below_to_who_holds_it(self, spans: Spans) -> None:
        with run(spans):
            held = spans.tracer.start_span("held")
        assert list(sessions(spans)) == ["invoke_agent agent"]
        held.end()
        assert SESSION in attributes(spans.by_name("held"))

    def test_of_one_that_nobody_holds_is_by_the_garbage_collector(
        self, spans: Spans, recwarn: pytest.WarningsRecorder
    ) -> None:
        root = spans.tracer.start_span("run", attributes=marks())
        spans.tracer.start_span("chat", context=trace.set_span_in_context(root))
        del root
        gc.collect()
        assert ending(sessions(spans)["run"]) == ("unknown", "garbage_collected", "UNSET")
        assert attributes(spans.by_name("chat"))[SESSION] == attributes(spans.by_name("run"))[SESSION]
        assert list(recwarn) == []

    @pytest.mark.parametrize(
        "status", [Status(StatusCode.UNSET), Status(StatusCode.ERROR, "abandoned stream")], ids=["success", "error"]
    )
    def test_by_a_finalizer_is_by_the_garbage_collector(self, spans: Spans, status: Status) -> None:
        Stream(spans, status)
        gc.collect()
        assert ending(sessions(spans)["run"]) == ("unknown", "garbage_collected", status.status_code.name)

    def test_of_one_that_nobody_holds_is_by_its_framework_where_that_is_just_ending_it(self, spans: Spans) -> None:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for _ in range(500):
                spans.tracer.start_span("run", attributes=marks()).end()
        finally:
            sys.setswitchinterval(interval)
        assert {ending(span) for span in spans.all()} == {("success", "completed", "UNSET")}

    def test_frees_the_span_at_once_where_it_ends_as_it_should(self, spans: Spans) -> None:
        with run(spans) as root:
            watch = weakref.ref(root)
        spans.all()
        gc.disable()
        try:
            del root
            assert watch() is None
        finally:
            gc.enable()

    def test_happens_once_however_often_it_is_said(self, spans: Spans) -> None:
        root = spans.tracer.start_span("run", attributes=marks())
        threads = [threading.Thread(target=root.end) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [span.name for span in spans.all()] == ["run"]

    def test_that_is_said_twice_while_a_generator_is_closed_is_told_as_the_first_time(self, spans: Spans) -> None:
        def steps() -> Generator[int, None, None]:
            with run(spans) as root:
                try:
                    yield 1
                finally:
                    root.end()  # and so does the block

        iterator = steps()
        next(iterator)
        iterator.close()
        assert ending(spans.all()[0]) == ("unknown", "cancelled", "UNSET")

    def test_by_all_sessions_ending_is_final(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        root = spans.tracer.start_span("run", attributes=marks())
        assert ao.end_all_sessions(state="error") == 1
        root.set_attribute("late", 1)
        root.end()
        assert ending(spans.all()[0])[:2] == ("error", "completed")
        assert caplog.messages == []


@pytest.mark.parametrize(
    ("how", "returncode", "end"),
    [
        ("end_of_main", 0, PROCESS_EXIT),
        ("sys_exit", 3, PROCESS_EXIT),
        ("provider_shutdown", 0, PROVIDER_SHUTDOWN),
        ("sigterm", -signal.SIGTERM, signalled(signal.SIGTERM)),
        ("unhandled", 1, failed("ValueError")),
        ("stream_left", 0, End("unknown", "cancelled")),
        ("forgotten", 0, GARBAGE_COLLECTED),
        ("forked", 0, PROCESS_EXIT),
    ],
)
@pytest.mark.parametrize("request_around", ["alone", "in_a_request"])
def test_a_run_that_is_left_open_arrives(
    deaths: Deaths, how: str, returncode: int, end: End, request_around: str
) -> None:
    died = deaths.run("adopted", how, request_around)
    assert died.returncode == returncode, died
    [root] = [span for span in died.receiver.spans if "agentops.session.end_state" in span.attributes]
    assert root.attributes["agentops.session.end_state"] == end.state
    assert root.attributes["agentops.session.end_reason"] == end.reason
    assert root.status == end.status
    ids = [span.span_id for span in died.receiver.spans]
    assert len(ids) == len(set(ids)), died
    of_session = [span for span in died.receiver.spans if span.attributes.get(SESSION) == root.attributes[SESSION]]
    assert {span.name for span in of_session} == {"invoke_agent agent", "chat", "tool"}
    assert root.attributes["agentops.session.inference.calls"] == 1
    assert {log.event_name for log in died.receiver.logs} == {"session.start", "session.end"}


def test_a_run_that_is_killed_arrives_with_the_next_program(deaths: Deaths) -> None:
    no_logs = {"OTEL_LOGS_EXPORTER": "none"}
    killed = deaths.run("adopted", "killed", "in_a_request", env=no_logs)
    assert killed.returncode == -signal.SIGKILL
    deaths.run("lost_next", "next", env=no_logs)
    killed.receiver.wait_for(lambda receiver: len(receiver.sessions()) == 2 or len(receiver.spans) >= 4)
    [root] = [s for s in killed.receiver.spans if s.name == "invoke_agent agent"]
    assert root.attributes["agentops.session.end_reason"] == "process_lost"
    totals = ("agentops.session.inference.calls", "agentops.session.agent.calls")
    assert [root.attributes[name] for name in totals] == [1, 1]
