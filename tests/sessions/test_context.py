"""Which session is current: here, in children, in other threads and tasks, and after the end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan
from support.spans import Spans, attributes, context_of

import agentops_otel as ao


def session_of(span: ReadableSpan) -> str | None:
    return attributes(span).get("session.id")


def in_thread(job: Callable[[], object]) -> None:
    """Runs a job in a new thread, in an empty context."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            contextvars.Context().run(job)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


async def in_empty_context(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a coroutine function in a task that inherits nothing."""
    loop = asyncio.get_running_loop()
    await contextvars.Context().run(loop.create_task, work())


def drop(spans: Spans) -> None:
    """Starts a session that nobody holds, and waits until that has been noticed."""
    ao.start_session("dropped")
    gc.collect()
    spans.all()


class TestCurrent:
    def test_is_none_outside(self, spans: Spans) -> None:
        assert ao.current_session() is None
        with ao.session():
            pass
        assert ao.current_session() is None

    def test_is_the_innermost(self, spans: Spans) -> None:
        with ao.session() as outer:
            with ao.session() as inner:
                assert ao.current_session() is inner
            assert ao.current_session() is outer

    def test_is_the_session_in_its_children(self, spans: Spans) -> None:
        with ao.session() as session, spans.tracer.start_as_current_span("child"):
            with spans.tracer.start_as_current_span("grandchild"):
                assert ao.current_session() is session

    def test_is_none_in_another_trace(self, spans: Spans) -> None:
        with ao.session() as session:
            with spans.tracer.start_as_current_span("other", context=context.Context()):
                assert ao.current_session() is None
            assert ao.current_session() is session

    def test_is_none_after_the_end_even_in_a_child(self, spans: Spans) -> None:
        session = ao.start_session()
        with spans.tracer.start_as_current_span("child"):
            session.end()
            assert ao.current_session() is None
        assert ao.current_session() is None

    def test_is_gone_with_its_handle(self, spans: Spans) -> None:
        with pytest.warns(ResourceWarning, match="'dropped' was never ended"):
            drop(spans)
        assert ao.current_session() is None

    def test_can_be_taken_from_the_context_to_own_it(self, spans: Spans) -> None:
        def start() -> ao.Session | None:
            session = ao.start_session()
            assert session.is_open
            return ao.current_session()

        session = start()
        assert session is not None
        gc.collect()
        spans.all()
        assert session.is_open
        session.end()


class TestStartSession:
    def test_is_current_until_its_end_and_then_what_was_before(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("request") as request:
            session = ao.start_session()
            assert ao.current_session() is session
            session.end()
            assert trace.get_current_span() is request
        assert trace.get_current_span() is trace.INVALID_SPAN

    def test_restores_the_outer_session(self, spans: Spans) -> None:
        outer = ao.start_session("outer")
        inner = ao.start_session("inner")
        inner.end()
        assert ao.current_session() is outer
        spans.tracer.start_span("child").end()
        outer.end()
        assert ao.current_session() is None
        assert session_of(spans.by_name("child")) == outer.id

    def test_outlives_the_function_that_started_it(self, spans: Spans) -> None:
        def start() -> ao.Session:
            return ao.start_session()

        session = start()
        assert ao.current_session() is session
        session.end()

    def test_of_a_block_restores_too(self, spans: Spans) -> None:
        with ao.start_session("outer") as outer:
            with ao.start_session("inner"):
                pass
            assert ao.current_session() is outer
        assert ao.current_session() is None

    def test_overlapping_sessions_leave_the_later_one_current(self, spans: Spans) -> None:
        first = ao.start_session("first")
        second = ao.start_session("second")
        first.end()
        assert ao.current_session() is second
        second.end()
        assert ao.current_session() is None
        assert trace.get_current_span() is trace.INVALID_SPAN

    @pytest.mark.parametrize("together", [2, 3, 4, 8])
    def test_overlapping_sessions_do_not_hold_each_other(self, spans: Spans, together: int) -> None:
        records: list[weakref.ref[trace.Span]] = []
        sessions: list[ao.Session] = []
        for _ in range(50):
            sessions.append(ao.start_session())
            records.append(weakref.ref(trace.get_current_span()))
            if len(sessions) == together:
                sessions.pop(0).end()
        spans.all()
        gc.collect()
        assert sum(record() is not None for record in records) <= together
        for session in sessions:
            session.end()
        assert trace.get_current_span() is trace.INVALID_SPAN

    def test_nested_sessions_that_end_inside_out_are_all_let_go(self, spans: Spans) -> None:
        open_sessions = [ao.start_session() for _ in range(20)]
        records = [weakref.ref(trace.get_current_span())]
        for session in open_sessions:  # the oldest first: the wrong way round
            session.end()
        del session
        open_sessions.clear()
        assert ao.current_session() is None
        spans.all()
        gc.collect()
        assert records[0]() is None

    def test_dropped_session_is_not_linked_and_leaves_no_children(self, spans: Spans) -> None:
        with pytest.warns(ResourceWarning):
            drop(spans)
        with spans.tracer.start_as_current_span("later"):
            pass
        assert spans.by_name("later").parent is None
        with ao.session("next"):
            pass
        assert spans.by_name("session next").links == ()

    def test_of_a_task_is_not_current_outside_of_it(self, spans: Spans) -> None:
        async def main() -> None:
            async def work() -> ao.Session:
                return ao.start_session()

            session = await asyncio.create_task(work())
            assert ao.current_session() is None
            assert session.is_open
            session.end()

        asyncio.run(main())


class TestEndElsewhere:
    def test_in_another_thread_new_spans_are_not_children_of_it(self, spans: Spans) -> None:
        session = ao.start_session()
        in_thread(session.end)
        assert ao.current_session() is None
        with spans.tracer.start_as_current_span("later"):
            assert ao.current_session() is None
        later = spans.by_name("later")
        assert later.parent is None
        assert context_of(later).trace_id != int(session.trace_id, 16)
        assert session_of(later) is None

    def test_of_a_with_in_another_thread_leaves_the_block_in_order(self, spans: Spans) -> None:
        with ao.session("outer") as outer:
            with ao.session("inner") as inner:
                in_thread(inner.end)
                assert ao.current_session() is outer
                spans.tracer.start_span("child").end()
            assert ao.current_session() is outer
        assert session_of(spans.by_name("child")) == outer.id

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_in_another_thread_new_spans_are_children_of_what_was_current_before(
        self, spans: Spans, number: int
    ) -> None:
        with spans.tracer.start_as_current_span("request") as request:
            sessions = [ao.start_session() for _ in range(number)]
            in_thread(ao.end_all_sessions)
            assert not any(session.is_open for session in sessions)
            assert ao.current_session() is None
            with spans.tracer.start_as_current_span("later"):
                pass
            with ao.session("next"):
                pass
        later = spans.by_name("later")
        assert later.parent == context_of(request)
        assert session_of(later) is None
        assert [link.context for link in spans.by_name("session next").links] == [context_of(request)]

    def test_in_another_thread_new_runs_of_agents_are_sessions_of_their_own(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("request"):
            in_thread(ao.start_session().end)
            with spans.tracer.start_as_current_span("run", attributes={"gen_ai.operation.name": "invoke_agent"}):
                assert ao.current_session() is not None
                spans.tracer.start_span("child").end()
        assert session_of(spans.by_name("child")) == session_of(spans.by_name("run")) is not None

    def test_in_another_thread_new_spans_belong_to_the_session_that_was_joined_before(self, spans: Spans) -> None:
        with ao.session("elsewhere") as elsewhere:
            carrier = elsewhere.carrier()
        with ao.join_session(carrier):
            in_thread(ao.start_session().end)
            spans.tracer.start_span("child").end()
        assert session_of(spans.by_name("child")) == elsewhere.id

    def test_in_another_task_does_not_disturb_the_context_there(self, spans: Spans) -> None:
        async def main() -> None:
            async def work() -> ao.Session:
                return ao.start_session()

            session = await asyncio.create_task(work())
            with ao.session() as mine:
                session.end()
                assert ao.current_session() is mine

        asyncio.run(main())

    def test_a_context_that_was_kept_adopts_nothing_after_the_end(self, spans: Spans) -> None:
        with ao.session():
            kept = contextvars.copy_context()
            otel = context.get_current()
        kept.run(lambda: spans.tracer.start_span("in the kept context").end())
        spans.tracer.start_span("with the kept context", context=otel).end()
        for name in ("in the kept context", "with the kept context"):
            assert spans.by_name(name).parent is None
            assert session_of(spans.by_name(name)) is None

    def test_of_the_outer_leaves_the_inner_alone(self, spans: Spans) -> None:
        with ao.session("outer") as outer, ao.session("inner") as inner:
            in_thread(outer.end)
            assert ao.current_session() is inner
            spans.tracer.start_span("child").end()
        assert session_of(spans.by_name("child")) == inner.id
        assert ao.current_session() is None


class TestAttach:
    def test_makes_it_current_in_another_thread(self, spans: Spans) -> None:
        with ao.session() as session:

            def work() -> None:
                assert ao.current_session() is None
                with session.attach() as attached:
                    assert attached is session
                    assert ao.current_session() is session
                    spans.tracer.start_span("child").end()
                assert ao.current_session() is None

            in_thread(work)
        child = spans.by_name("child")
        assert session_of(child) == session.id
        assert child.parent is not None
        assert child.parent.span_id == context_of(spans.root()).span_id

    def test_in_many_threads_at_once(self, spans: Spans) -> None:
        with ao.session() as session:

            def work(number: int) -> None:
                with session.attach(), spans.tracer.start_as_current_span(f"{number}"):
                    assert ao.current_session() is session

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(work, range(100)))
        assert [session_of(span) for span in spans.all()] == [session.id] * 101

    def test_in_a_task_and_async(self, spans: Spans) -> None:
        async def main() -> None:
            session = ao.start_session()

            async def work() -> None:
                async with session.attach() as attached:
                    assert attached is session
                    await asyncio.sleep(0)
                    assert ao.current_session() is session
                assert ao.current_session() is None

            await in_empty_context(work)
            session.end()

        asyncio.run(main())

    def test_within_another_session_goes_back_to_it(self, spans: Spans) -> None:
        with ao.session() as outer, ao.session() as inner:
            with outer.attach():
                assert ao.current_session() is outer
                with inner.attach():
                    assert ao.current_session() is inner
                assert ao.current_session() is outer
            assert ao.current_session() is inner

    def test_keeps_the_session_alive(self, spans: Spans) -> None:
        with ao.start_session().attach():
            gc.collect()
            session = ao.current_session()
            assert session is not None
            assert session.is_open
        session.end()

    def test_of_an_ended_session_makes_nothing_current(self, spans: Spans) -> None:
        session = ao.start_session()
        session.end()
        with session.attach():
            assert ao.current_session() is None
            spans.tracer.start_span("child").end()
        assert spans.by_name("child").parent is None

    def test_of_an_ended_session_leaves_what_is_current(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("a request"):
            session = ao.start_session()
            session.end()
        with spans.tracer.start_as_current_span("another") as another, ao.session("there") as there:
            with session.attach():
                assert ao.current_session() is there
                spans.tracer.start_span("child").end()
            there.end()
            with session.attach():
                spans.tracer.start_span("later").end()
        assert session_of(spans.by_name("child")) == there.id
        assert spans.by_name("later").parent == context_of(another)

    def test_ended_inside_is_not_current_any_more(self, spans: Spans) -> None:
        session = ao.start_session()

        def work() -> None:
            with session.attach():
                session.end()
                assert ao.current_session() is None
            assert trace.get_current_span() is trace.INVALID_SPAN

        in_thread(work)

    def test_left_in_another_context_says_nothing(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        with ao.session() as session:
            attachment = session.attach()
            contextvars.copy_context().run(attachment.__enter__)
            attachment.__exit__(None, None, None)
            assert ao.current_session() is session
        assert caplog.text == ""

    def test_does_not_end_it(self, spans: Spans) -> None:
        with ao.session() as session:
            with pytest.raises(ValueError, match="mine"), session.attach():
                raise ValueError("mine")
            assert session.is_open


class TestConcurrent:
    def test_sessions_of_threads_know_nothing_of_each_other(self, spans: Spans) -> None:
        barrier = threading.Barrier(8)

        def work(number: int) -> None:
            with ao.session(id=f"{number}") as session:
                barrier.wait(10)
                assert ao.current_session() is session
                spans.tracer.start_span(f"child {number}").end()
                barrier.wait(10)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        for number in range(8):
            assert session_of(spans.by_name(f"child {number}")) == f"{number}"
        assert all(root.links == () for root in spans.roots())

    def test_sessions_of_tasks_know_nothing_of_each_other(self, spans: Spans) -> None:
        async def work(number: int, barrier: list[asyncio.Event]) -> None:
            async with ao.session(id=f"{number}") as session:
                barrier[number].set()
                for event in barrier:
                    await event.wait()
                assert ao.current_session() is session
                spans.tracer.start_span(f"child {number}").end()

        async def main() -> None:
            barrier = [asyncio.Event() for _ in range(8)]
            await asyncio.gather(*(work(number, barrier) for number in range(8)))

        asyncio.run(main())
        for number in range(8):
            assert session_of(spans.by_name(f"child {number}")) == f"{number}"

    def test_a_task_inherits_the_session_of_its_creator(self, spans: Spans) -> None:
        async def main() -> None:
            async def child() -> None:
                spans.tracer.start_span("child").end()

            async with ao.session("s"):
                await asyncio.gather(child(), asyncio.to_thread(spans.tracer.start_span("thread").end))

        asyncio.run(main())
        root = context_of(spans.root())
        for name in ("child", "thread"):
            parent = spans.by_name(name).parent
            assert parent is not None
            assert parent.span_id == root.span_id
