"""Work that is given to threads in a session belongs to it, and threads keep nothing of it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.instrumentation.threading import ThreadingInstrumentor  # type: ignore[import-not-found,unused-ignore]
from support.spans import Spans, attributes, context_of, in_use, poll

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.sessions.worker import Worker

ORIGINALS = threading.Thread.start, threading.Thread.run, ThreadPoolExecutor.submit


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def work(spans: Spans, name: str) -> Callable[[], None]:
    """A job of one span."""

    def run() -> None:
        with spans.tracer.start_as_current_span(name):
            pass

    return run


def run(thread: threading.Thread) -> None:
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def check_inside(spans: Spans, *names: str) -> None:
    """These spans are children of the span "step" of the one session, and have its id."""
    root, step = spans.root(), spans.by_name("step")
    for span in [step, *(spans.by_name(name) for name in names)]:
        assert attributes(span)["session.id"] == attributes(root)["session.id"]
        assert span.parent is not None
        assert span.parent.span_id == context_of(root if span is step else step).span_id


def wait_for_the_leak(spans: Spans, leak: Callable[[], None]) -> None:
    """Calls what drops the handle of a session "leaked", and waits until that has been noticed."""

    def noticed() -> None:
        leak()
        gc.collect()
        poll(spans.roots)

    with pytest.warns(ResourceWarning, match="'leaked' was never ended"):
        noticed()


def is_alone(spans: Spans, name: str) -> bool:
    span = spans.by_name(name)
    return span.parent is None and "session.id" not in attributes(span)


class TestThread:
    def test_works_in_the_session_it_was_started_in(self, spans: Spans) -> None:
        thread = threading.Thread(target=work(spans, "work"), name="t", daemon=True)
        with ao.session(), spans.tracer.start_as_current_span("step"):
            run(thread)
        check_inside(spans, "work")
        assert (thread.name, thread.daemon) == ("t", True)

    def test_that_was_made_in_a_session_and_started_later_is_not_of_it(self, spans: Spans) -> None:
        with ao.session():
            thread = threading.Thread(target=work(spans, "work"))
        run(thread)
        assert is_alone(spans, "work")

    def test_may_be_a_timer(self, spans: Spans) -> None:
        with ao.session(), spans.tracer.start_as_current_span("step"):
            run(threading.Timer(0, work(spans, "work")))
        check_inside(spans, "work")

    def test_may_be_of_a_class_with_a_run_of_its_own(self, spans: Spans) -> None:
        class Thread(threading.Thread):
            def run(self) -> None:
                work(spans, "work")()

        with ao.session(), spans.tracer.start_as_current_span("step"):
            thread = Thread()
            run(thread)
        check_inside(spans, "work")
        assert "run" not in vars(thread)

    def test_may_have_a_run_of_its_own(self, spans: Spans) -> None:
        thread = threading.Thread()
        own = work(spans, "work")
        thread.run = own  # type: ignore[method-assign]
        with ao.session(), spans.tracer.start_as_current_span("step"):
            run(thread)
        check_inside(spans, "work")
        assert thread.run is own

    def test_may_have_nothing_to_do(self, spans: Spans) -> None:
        with ao.session():
            run(threading.Thread())

    def test_starts_others_in_the_session(self, spans: Spans) -> None:
        with ao.session(), spans.tracer.start_as_current_span("step"):
            run(threading.Thread(target=lambda: run(threading.Thread(target=work(spans, "work")))))
        check_inside(spans, "work")

    def test_knows_the_session_until_that_is_over(self, spans: Spans) -> None:
        over = threading.Event()
        seen: list[object] = []

        def look() -> None:
            seen.append(ao.current_session())
            over.wait(20)
            seen.append(ao.current_session())
            work(spans, "work")()

        with ao.session() as session:
            thread = threading.Thread(target=look)
            thread.start()
            poll(lambda: seen)
        over.set()
        thread.join(20)
        assert seen == [session, None]
        assert is_alone(spans, "work")

    def test_gets_no_more_than_the_context_of_opentelemetry(self, spans: Spans) -> None:
        variable = contextvars.ContextVar("variable", default="default")
        variable.set("set")
        seen: list[object] = []
        token = context.attach(baggage.set_baggage("name", "value"))
        with ao.session():
            run(threading.Thread(target=lambda: seen.append((variable.get(), baggage.get_baggage("name")))))
        assert seen == [("default", "value")]
        run(threading.Thread(target=lambda: seen.append(baggage.get_baggage("name"))))  # in no session
        assert seen[1] is None
        context.detach(token)

    def test_that_raises_is_reported_as_ever(self, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[threading.Thread | None, type[BaseException], list[str], object]] = []

        def hook(args: Any) -> None:
            names = [frame.name for frame in traceback.extract_tb(args.exc_traceback)]
            seen.append((args.thread, args.exc_type, names, ao.current_session()))

        def fail() -> None:
            raise ValueError("boom")

        monkeypatch.setattr(threading, "excepthook", hook)
        thread = threading.Thread(target=fail)
        with ao.session():
            run(thread)
        names = ["_bootstrap_inner", "run_inside", "run", "fail"]
        assert seen == [(thread, ValueError, names, None)]

    def test_that_cannot_be_started_fails_as_ever(self, spans: Spans) -> None:
        class Uninitialized(threading.Thread):
            def __init__(self) -> None:
                pass

        thread = threading.Thread()
        with ao.session():
            run(thread)
            with pytest.raises(RuntimeError, match="threads can only be started once"):
                thread.start()
            with pytest.raises(RuntimeError, match="not called"):
                Uninitialized().start()
        assert "run" not in vars(thread)

    def test_holds_nothing_when_it_is_over(self, spans: Spans) -> None:
        class Thing:
            pass

        thing = Thing()
        died = weakref.ref(thing)
        gc.disable()
        try:
            with ao.session():
                thread = threading.Thread(target=lambda held: None, args=(thing,))
                run(thread)
                gone = weakref.ref(thread)
                del thing, thread
            assert (died(), gone()) == (None, None)
        finally:
            gc.enable()

    def test_does_not_hold_the_handle(self, spans: Spans) -> None:
        over = threading.Event()
        thread = threading.Thread(target=over.wait, args=(20,))

        def leak() -> None:
            session = ao.start_session("leaked")
            assert session.is_open
            thread.start()

        wait_for_the_leak(spans, leak)
        assert attributes(spans.root())["agentops.session.end_reason"] == "garbage_collected"
        over.set()
        thread.join(20)

    def test_of_the_package_itself_is_in_no_session(self, spans: Spans) -> None:
        worker = Worker()
        found: list[object] = []
        with ao.session():
            worker.ensure()
            worker.post(lambda: found.append(ao.current_session()))
            worker.settle(10)
            worker.run_elsewhere(lambda: found.append(ao.current_session())).wait(10)
        assert found == [None, None]


class TestPool:
    def test_works_in_the_session_that_gives_it_work(self, spans: Spans, pool: ThreadPoolExecutor) -> None:
        with ao.session(), spans.tracer.start_as_current_span("step"):
            pool.submit(work(spans, "submit")).result(20)
            list(pool.map(lambda name: work(spans, name)(), ["map"], timeout=20))
        check_inside(spans, "submit", "map")

    def test_passes_arguments_results_and_exceptions_on(self, spans: Spans, pool: ThreadPoolExecutor) -> None:
        def fail() -> None:
            raise ValueError("boom")

        with ao.session():
            assert pool.submit(divmod, 7, 2).result(20) == (3, 1)
            assert pool.submit(dict, a=1, fn=2, function=3, around=4, pool=5).result(20) == {
                "a": 1,
                "fn": 2,
                "function": 3,
                "around": 4,
                "pool": 5,
            }
            error = pool.submit(fail).exception(20)
            with pytest.raises(TypeError, match="fn"):
                pool.submit()  # type: ignore[call-arg]
        assert isinstance(error, ValueError)
        assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == ["run", "call_in", "fail"]

    def test_keeps_nothing_of_the_session_its_worker_was_born_in(self, spans: Spans, pool: ThreadPoolExecutor) -> None:
        token = context.attach(baggage.set_baggage("name", "value"))
        with ao.session():
            pool.submit(work(spans, "first")).result(20)
            pool.submit(work(spans, "second")).result(20)
            context.detach(token)
            # Given by somebody who is in no session, while the first one is open.
            contextvars.Context().run(lambda: pool.submit(work(spans, "outside"))).result(20)
            seen = contextvars.Context().run(lambda: pool.submit(context.get_current)).result(20)
        assert is_alone(spans, "outside")
        assert seen == {}
        assert len(pool._threads) == 1

    def test_changes_no_context_where_no_session_is(self, spans: Spans, pool: ThreadPoolExecutor) -> None:
        with spans.tracer.start_as_current_span("request"):
            pool.submit(work(spans, "work")).result(20)
        assert is_alone(spans, "work")

    def test_works_for_many_sessions_at_a_time(self, spans: Spans) -> None:
        together = threading.Barrier(4)

        def read() -> ao.Session | None:
            together.wait(20)
            return ao.current_session()

        with ThreadPoolExecutor(4) as many, ExitStack() as stack:
            sessions = [(stack.enter_context(ao.session()), many.submit(read)) for _ in range(4)]
            for session, future in sessions:
                assert future.result(20) is session

    def test_does_not_hold_the_handle(self, spans: Spans, pool: ThreadPoolExecutor) -> None:
        def leak() -> None:
            session = ao.start_session("leaked")
            assert session.is_open
            pool.submit(work(spans, "work")).result(20)

        wait_for_the_leak(spans, leak)
        assert spans.by_name("work").parent is not None

    def test_holds_nothing_of_what_is_done(self, spans: Spans, pool: ThreadPoolExecutor) -> None:
        class Thing:
            def __call__(self) -> None:
                pass

        with ao.session():
            thing = Thing()
            pool.submit(thing).result(20)
            pool.submit(int).result(20)
            died = weakref.ref(thing)
            del thing
            assert died() is None


class TestEventLoop:
    def test_takes_the_session_along(self, spans: Spans) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            with ao.session(), spans.tracer.start_as_current_span("step"):
                await asyncio.to_thread(work(spans, "to_thread"))
                await loop.run_in_executor(None, work(spans, "run_in_executor"))
                await asyncio.create_task(asyncio.to_thread(work(spans, "task")))
                loop.call_soon(work(spans, "call_soon"))
                threading.Thread(target=loop.call_soon_threadsafe, args=(work(spans, "threadsafe"),)).start()
                await asyncio.to_thread(poll, lambda: "threadsafe" in spans.names())
            await asyncio.to_thread(work(spans, "after"))

        asyncio.run(main())
        check_inside(spans, "to_thread", "run_in_executor", "task", "call_soon", "threadsafe")
        assert is_alone(spans, "after")


class TestOfficialInstrumentation:
    @pytest.mark.parametrize("first", ["ours", "the official"])
    def test_is_left_to_its_work(self, first: str) -> None:
        runtime.release()
        instrumentor = ThreadingInstrumentor()
        if first == "the official":
            instrumentor.instrument()
        with in_use(Spans()) as spans:
            if first == "ours":
                instrumentor.instrument()
            thread = threading.Thread(target=work(spans, "thread"))
            with ao.session(), spans.tracer.start_as_current_span("step"), ThreadPoolExecutor(1) as pool:
                run(thread)
                pool.submit(work(spans, "pool")).result(20)
            assert hasattr(thread, "_otel_context")
            check_inside(spans, "thread", "pool")
            if first == "ours":
                instrumentor.uninstrument()
                with ao.session(), ThreadPoolExecutor(1) as pool:
                    assert pool.submit(ao.current_session).result(20) is not None
        if first == "the official":
            instrumentor.uninstrument()
        assert (threading.Thread.start, threading.Thread.run, ThreadPoolExecutor.submit) == ORIGINALS


class TestSwitch:
    def test_gives_the_originals_back(self) -> None:
        assert threading.Thread.start is ORIGINALS[0]
        with in_use(Spans()):
            assert threading.Thread.start is not ORIGINALS[0]
            assert ThreadPoolExecutor.submit is not ORIGINALS[2]
            ao.configure(propagation=False)
            assert (threading.Thread.start, threading.Thread.run, ThreadPoolExecutor.submit) == ORIGINALS
            ao.configure(propagation=True)
            assert threading.Thread.start is not ORIGINALS[0]
            runtime.release()
            assert (threading.Thread.start, threading.Thread.run, ThreadPoolExecutor.submit) == ORIGINALS

    def test_off_means_that_sessions_stay_where_they_are(self, spans: Spans, pool: ThreadPoolExecutor) -> None:
        ao.configure(propagation=False)
        with ao.session():
            run(threading.Thread(target=work(spans, "thread")))
            pool.submit(work(spans, "pool")).result(20)
        assert is_alone(spans, "thread")
        assert is_alone(spans, "pool")
