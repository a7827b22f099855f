"""Functions of every kind as sessions: they stay what they are, and their sessions are current in their body only."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import sys
import traceback
import typing
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from typing import Any

import pytest
from opentelemetry import context, trace
from support.spans import Spans, attributes, context_of, ending

import agentops_otel as ao

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="outside")

COMPLETED = ("success", "completed", "UNSET")
CANCELLED = ("unknown", "cancelled", "UNSET")
ERROR = ("error", "exception", "ERROR")


def function(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bool) -> str:
    """The function's own words."""
    return b


async def coroutine(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bool) -> str:
    """The function's own words."""
    return b


def generator(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bool) -> Iterator[str]:
    """The function's own words."""
    yield b


async def async_generator(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bool) -> AsyncIterator[str]:
    """The function's own words."""
    yield b


KINDS: list[Callable[..., Any]] = [function, coroutine, generator, async_generator]
DECORATORS: dict[str, Callable[[Any], Any]] = {
    "bare": ao.session,
    "empty": ao.session(),
    "named": ao.session("named", tags=["t"]),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("decorate", DECORATORS.values(), ids=DECORATORS)
class TestStaysWhatItIs:
    def test_metadata(self, kind: Callable[..., Any], decorate: Callable[[Any], Any]) -> None:
        decorated = decorate(kind)
        for name in functools.WRAPPER_ASSIGNMENTS:
            assert getattr(decorated, name) == getattr(kind, name)
        assert decorated.__wrapped__ is kind
        assert inspect.signature(decorated) == inspect.signature(kind)
        assert typing.get_type_hints(decorated) == typing.get_type_hints(kind)
        assert inspect.getdoc(decorated) == "The function's own words."

    @pytest.mark.parametrize(
        "is_one",
        [
            inspect.isfunction,
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
            callable,
            inspect.isclass,
        ],
        ids=lambda is_one: str(is_one.__name__),
    )
    def test_kind(
        self, kind: Callable[..., Any], decorate: Callable[[Any], Any], is_one: Callable[[Any], bool]
    ) -> None:
        assert is_one(decorate(kind)) is is_one(kind)

    def test_wrong_calls_fail_as_they_did(self, kind: Callable[..., Any], decorate: Callable[[Any], Any]) -> None:
        with pytest.raises(TypeError) as bare:
            drain(kind(1))
        with pytest.raises(TypeError) as decorated:
            drain(decorate(kind)(1))
        assert str(decorated.value) == str(bare.value)

    def test_calls_and_results(self, spans: Spans, kind: Callable[..., Any], decorate: Callable[[Any], Any]) -> None:
        decorated = decorate(kind)
        for _ in range(2):
            assert drain(decorated(1, "passed", 2, c=3.0, d=True)) in ("passed", ["passed"])
        assert [ending(root) for root in spans.roots()] == [COMPLETED] * 2
        name = "named" if decorate is DECORATORS["named"] else kind.__name__
        assert spans.names() == [f"session {name}"] * 2


def drain(result: Any) -> Any:
    """The result of a call of any kind of function."""
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if inspect.isgenerator(result):
        return list(result)
    if inspect.isasyncgen(result):
        return asyncio.run(collect(result))
    return result


async def collect(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


class TestWhatIsNoFunction:
    @pytest.mark.parametrize("wrong", [int, type, ao.Session])
    def test_classes_are_refused(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="decorates a function"):
            ao.session(wrong)
        with pytest.raises(TypeError, match="decorates a function"):
            ao.session()(wrong)

    @pytest.mark.parametrize("wrong", [1, None, "name", object(), [function]])
    def test_what_cannot_be_called_is_refused(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="decorates a function"):
            ao.session()(wrong)

    def test_partials_are_named_after_what_they_call(self, spans: Spans) -> None:
        decorated = ao.session(functools.partial(function, 1, "bound", c=1.0))
        assert decorated() == "bound"
        assert spans.root().name == "session partial"

    def test_partials_of_coroutines_are_coroutines(self, spans: Spans) -> None:
        decorated = ao.session(functools.partial(coroutine, 1, "bound", c=1.0))
        assert asyncio.run(decorated()) == "bound"
        assert ending(spans.root()) == COMPLETED

    def test_partials_of_generators_run_in_the_session(self, spans: Spans) -> None:
        def body(number: int) -> Iterator[ao.Session | None]:
            yield ao.current_session()

        [session] = list(ao.session(functools.partial(body, 1))())
        assert session is not None
        assert ending(spans.root()) == COMPLETED

    def test_callable_objects_are_named_after_their_class(self, spans: Spans) -> None:
        class Agent:
            def __call__(self, question: str) -> tuple[str, ao.Session | None]:
                return question, ao.current_session()

        question, session = ao.session(Agent())("why")
        assert question == "why"
        assert session is not None
        assert spans.root().name == "session Agent"

    def test_callable_objects_with_an_async_call_run_in_the_session(self, spans: Spans) -> None:
        class Agent:
            async def __call__(self) -> ao.Session | None:
                await asyncio.sleep(0)
                return ao.current_session()

        assert asyncio.run(ao.session(Agent())()) is not None
        assert ending(spans.root()) == COMPLETED

    def test_callable_objects_that_generate_run_in_the_session(self, spans: Spans) -> None:
        class Agent:
            def __call__(self) -> Iterator[ao.Session | None]:
                yield ao.current_session()

        [session] = list(ao.session(Agent())())
        assert session is not None
        assert ending(spans.root()) == COMPLETED

    def test_built_in_functions(self, spans: Spans) -> None:
        assert ao.session(len)([1, 2]) == 2
        assert spans.root().name == "session len"

    def test_lambdas(self, spans: Spans) -> None:
        assert ao.session("named")(lambda: 1)() == 1
        assert spans.root().name == "session named"


class Agent:
    def __init__(self, name: str) -> None:
        self.name = name

    @ao.session
    def method(self) -> tuple[str, bool]:
        return self.name, ao.current_session() is not None

    @ao.session("class")
    def decorated_below(self) -> str:
        return self.name

    @classmethod
    @ao.session
    def of_the_class(cls) -> str:
        return cls.__name__

    @staticmethod
    @ao.session
    def static(number: int) -> int:
        return number

    @property
    @ao.session
    def answer(self) -> str:
        return self.name

    @ao.session
    async def coroutine(self) -> str:
        return self.name

    @ao.session
    def generator(self) -> Iterator[str]:
        yield self.name


class TestMethods:
    def test_of_every_kind(self, spans: Spans) -> None:
        agent = Agent("a")
        assert agent.method() == ("a", True)
        assert Agent.method(agent) == ("a", True)
        assert agent.decorated_below() == "a"
        assert agent.of_the_class() == Agent.of_the_class() == "Agent"
        assert agent.static(1) == Agent.static(1) == 1
        assert agent.answer == "a"
        assert asyncio.run(agent.coroutine()) == "a"
        assert list(agent.generator()) == ["a"]
        assert len(spans.roots()) == 10

    def test_bound_methods(self, spans: Spans) -> None:
        assert ao.session(Agent("b").name.upper)() == "B"
        assert spans.root().name == "session upper"

    def test_above_staticmethod_and_classmethod_is_a_function_or_an_error(self, spans: Spans) -> None:
        try:

            class Odd:
                @ao.session
                @staticmethod
                def static(number: int) -> int:
                    return number

            assert Odd.static(1) == 1
        except TypeError as error:
            assert "decorates a function" in str(error)  # noqa: PT017


class TestFunction:
    def test_is_current_in_the_body_only(self, spans: Spans) -> None:
        @ao.session(id="s")
        def work() -> None:
            session = ao.current_session()
            assert session is not None
            assert session.id == "s"
            spans.tracer.start_span("child").end()

        work()
        assert ao.current_session() is None
        assert attributes(spans.by_name("child"))["session.id"] == "s"

    def test_recursion_nests_sessions(self, spans: Spans) -> None:
        @ao.session
        def work(depth: int) -> list[str]:
            session = ao.current_session()
            assert session is not None
            deeper = work(depth - 1) if depth else []
            assert ao.current_session() is session
            return [session.id, *deeper]

        assert len(set(work(5))) == 6
        assert len(spans.roots()) == 6

    def test_decorated_twice_is_two_sessions(self, spans: Spans) -> None:
        @ao.session("outer")
        @ao.session("inner")
        def work() -> None:
            pass

        work()
        assert spans.names() == ["session inner", "session outer"]

    def test_exceptions_pass_untouched(self, spans: Spans) -> None:
        error = ValueError("mine")
        error.__cause__ = cause = KeyError("why")

        @ao.session
        def work() -> None:
            raise error

        with pytest.raises(ValueError) as caught:
            work()
        assert caught.value is error
        assert error.__cause__ is cause
        assert error.__context__ is None
        assert traceback.extract_tb(error.__traceback__)[-1].line == "raise error"
        assert ending(spans.root()) == ERROR

    def test_what_is_being_handled_stays_the_context(self, spans: Spans) -> None:
        @ao.session
        def work() -> None:
            raise ValueError

        handled = KeyError()
        with pytest.raises(ValueError) as caught:  # noqa: PT012
            try:
                raise handled
            except KeyError:
                work()
        assert caught.value.__context__ is handled


class TestCoroutine:
    def test_starts_when_it_is_awaited(self, spans: Spans) -> None:
        @ao.session
        async def work() -> None:
            pass

        made = work()
        assert ao.open_sessions() == []
        asyncio.run(made)
        assert ending(spans.root()) == COMPLETED

    def test_never_awaited_is_no_session(self, spans: Spans) -> None:
        @ao.session
        async def work() -> None:
            pass

        work().close()
        assert spans.all() == []

    def test_is_current_across_awaits_and_in_its_tasks(self, spans: Spans) -> None:
        @ao.session
        async def work() -> None:
            session = ao.current_session()
            await asyncio.sleep(0)
            assert ao.current_session() is session

            async def child() -> ao.Session | None:
                return ao.current_session()

            assert await asyncio.create_task(child()) is session

        async def main() -> None:
            await work()
            assert ao.current_session() is None

        asyncio.run(main())

    def test_concurrent_calls_have_their_own(self, spans: Spans) -> None:
        @ao.session
        async def work(others: list[str]) -> None:
            session = ao.current_session()
            assert session is not None
            others.append(session.id)
            while len(others) < 10:
                await asyncio.sleep(0)
            assert ao.current_session() is session

        async def main() -> list[str]:
            ids: list[str] = []
            await asyncio.gather(*(work(ids) for _ in range(10)))
            return ids

        assert len(set(asyncio.run(main()))) == 10
        assert len(spans.roots()) == 10

    def test_exceptions_pass_untouched(self, spans: Spans) -> None:
        error = ValueError("mine")

        @ao.session
        async def work() -> None:
            await asyncio.sleep(0)
            raise error

        with pytest.raises(ValueError) as caught:
            asyncio.run(work())
        assert caught.value is error
        assert traceback.extract_tb(error.__traceback__)[-1].line == "raise error"
        assert ending(spans.root()) == ERROR

    def test_timeout_is_cancelled_inside_and_a_timeout_outside(self, spans: Spans) -> None:
        @ao.session
        async def work() -> None:
            await asyncio.Event().wait()

        async def main() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(work(), 0.001)

        asyncio.run(main())
        assert ending(spans.root()) == CANCELLED

    def test_that_survives_its_cancellation_is_completed(self, spans: Spans) -> None:
        @ao.session
        async def work() -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "survived"
            raise AssertionError

        async def main() -> str:
            task = asyncio.create_task(work())
            await asyncio.sleep(0)
            task.cancel()
            return await task

        assert asyncio.run(main()) == "survived"
        assert ending(spans.root()) == COMPLETED

    def test_closed_in_the_middle_is_cancelled(self, spans: Spans) -> None:
        @ao.session
        async def work() -> None:
            await asyncio.sleep(1000)

        async def main() -> None:
            made: Any = work()
            made.send(None)
            made.close()

        asyncio.run(main())
        assert ending(spans.root()) == CANCELLED


class TestGenerator:
    def test_starts_with_its_first_step(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[int]:
            yield 1

        steps = work()
        assert ao.open_sessions() == []
        assert next(steps) == 1
        assert len(ao.open_sessions()) == 1
        assert list(steps) == []
        assert ending(spans.root()) == COMPLETED

    def test_never_started_is_no_session(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[int]:
            yield 1

        work()
        steps = typing.cast("Generator[int]", work())
        steps.close()
        gc.collect()
        assert spans.all() == []

    def test_is_current_in_the_body_and_not_between_the_steps(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[ao.Session | None]:
            yield ao.current_session()
            yield ao.current_session()

        inside = []
        with spans.tracer.start_as_current_span("consumer") as consumer:
            for session in work():
                inside.append(session)
                assert ao.current_session() is None
                assert trace.get_current_span() is consumer
                spans.tracer.start_span("of the consumer").end()
        assert inside[0] is not None
        assert inside[0] is inside[1]
        for span in spans.all():
            if span.name == "of the consumer":
                assert span.parent == consumer.get_span_context()

    def test_spans_opened_across_yields_stay_parents_in_the_body(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[None]:
            with spans.tracer.start_as_current_span("across"):
                yield
                spans.tracer.start_span("child").end()
                yield
                spans.tracer.start_span("child").end()

        for _ in work():
            spans.tracer.start_span("of the consumer").end()
        across = context_of(spans.by_name("across"))
        assert [span.parent for span in spans.all() if span.name == "child"] == [across, across]
        assert {span.parent for span in spans.all() if span.name == "of the consumer"} == {None}

    def test_context_variables_of_the_body_can_be_reset_across_yields(
        self, spans: Spans, caplog: pytest.LogCaptureFixture
    ) -> None:
        @ao.session
        def work() -> Iterator[str]:
            token = VARIABLE.set("inside")
            otel = context.attach(context.set_value("k", "v"))
            yield VARIABLE.get()
            assert context.get_value("k") == "v"
            context.detach(otel)
            VARIABLE.reset(token)
            yield VARIABLE.get()

        seen = []
        for item in work():
            seen.append(item)
            assert VARIABLE.get() == "outside"
            assert context.get_value("k") is None
        assert seen == ["inside", "outside"]
        assert caplog.text == ""

    def test_sees_the_context_of_its_first_step(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[str]:
            yield VARIABLE.get()

        steps = work()
        token = VARIABLE.set("of the consumer")
        try:
            assert next(steps) == "of the consumer"
        finally:
            VARIABLE.reset(token)
        list(steps)

    def test_send_throw_and_the_return_value_work_as_ever(self, spans: Spans) -> None:
        @ao.session
        def work() -> Generator[Any, Any, str]:
            got = yield "first"
            try:
                yield got
            except KeyError as error:
                got = yield error
            return f"returned {got}"

        steps = work()
        error = KeyError("thrown")
        assert next(steps) == "first"
        assert steps.send("sent") == "sent"
        assert steps.throw(error) is error
        with pytest.raises(StopIteration) as stop:
            steps.send("last")
        assert stop.value.value == "returned last"
        assert ending(spans.root()) == COMPLETED

    def test_delegation_to_it_works_as_ever(self, spans: Spans) -> None:
        @ao.session
        def inner() -> Generator[int, str, str]:
            return (yield 1)

        def outer() -> Generator[int, str, None]:
            results.append((yield from inner()))

        results: list[str] = []
        steps = outer()
        assert next(steps) == 1
        with pytest.raises(StopIteration):
            steps.send("sent")
        assert results == ["sent"]

    def test_exception_of_the_body_passes_untouched(self, spans: Spans) -> None:
        error = ValueError("mine")

        @ao.session
        def work() -> Iterator[int]:
            yield 1
            raise error

        with pytest.raises(ValueError) as caught:
            list(work())
        assert caught.value is error
        assert traceback.extract_tb(error.__traceback__)[-1].line == "raise error"
        assert ending(spans.root()) == ERROR

    def test_exception_thrown_in_and_not_caught_comes_out_again(self, spans: Spans) -> None:
        @ao.session
        def work() -> Generator[int]:
            yield 1

        steps = work()
        next(steps)
        error = ValueError("thrown")
        with pytest.raises(ValueError) as caught:
            steps.throw(error)
        assert caught.value is error
        assert error.__context__ is None
        assert error.__cause__ is None
        assert ending(spans.root()) == ERROR

    def test_stop_iteration_in_the_body_is_a_runtime_error_as_ever(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[int]:
            yield 1
            raise StopIteration

        with pytest.raises(RuntimeError, match="generator raised StopIteration"):
            list(work())
        assert ending(spans.root()) == ERROR

    def test_closed_early_is_cancelled_and_the_body_cleans_up_in_its_context(self, spans: Spans) -> None:
        cleaned: list[ao.Session | None] = []

        @ao.session
        def work() -> Generator[ao.Session | None]:
            try:
                with spans.tracer.start_as_current_span("across"):
                    yield ao.current_session()
            finally:
                cleaned.append(ao.current_session())

        with closing(work()) as steps:
            session = next(steps)
        assert session is not None
        assert cleaned == [session]
        assert ending(spans.root()) == CANCELLED

    def test_left_by_a_break_is_cancelled(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[int]:
            yield from range(10)

        for _ in work():
            break
        gc.collect()
        assert ending(spans.root()) == CANCELLED

    def test_abandoned_in_a_cycle_is_cancelled(self, spans: Spans) -> None:
        @ao.session
        def work(cycle: list[Any]) -> Iterator[int]:
            yield from range(10)

        cycle: list[Any] = []
        cycle.append(work(cycle))
        next(cycle[0])
        del cycle
        gc.collect()
        assert ending(spans.root()) == CANCELLED

    def test_that_ignores_its_close_fails_as_ever(self, spans: Spans) -> None:
        @ao.session
        def work() -> Generator[int]:
            try:
                yield 1
            except GeneratorExit:
                yield 2

        steps = work()
        next(steps)
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            steps.close()
        gc.collect()
        assert len(spans.roots()) == 1

    def test_that_raises_while_it_is_closed_raises(self, spans: Spans) -> None:
        error = ValueError("while closing")

        @ao.session
        def work() -> Generator[int]:
            try:
                yield 1
            finally:
                raise error

        steps = work()
        next(steps)
        with pytest.raises(ValueError) as caught:
            steps.close()
        assert caught.value is error
        assert ending(spans.root()) == ERROR

    @pytest.mark.skipif(sys.version_info < (3, 13), reason="close() returns a value since Python 3.13")
    def test_value_returned_at_its_close(self, spans: Spans) -> None:
        def work() -> Generator[int, None, str]:
            try:
                yield 1
            except GeneratorExit:
                return "value"
            return "end"

        bare, decorated = work(), ao.session(work)()
        next(bare)
        next(decorated)
        assert decorated.close() == bare.close() == "value"  # type: ignore[func-returns-value]

    def test_interleaved_generators_have_their_own(self, spans: Spans) -> None:
        @ao.session
        def work() -> Iterator[str]:
            for _ in range(3):
                session = ao.current_session()
                assert session is not None
                spans.tracer.start_span(session.id).end()
                yield session.id

        for first, second in zip(work(), work(), strict=True):
            assert first != second
        assert len(spans.roots()) == 2
        for span in spans.all():
            if span.parent is not None:
                assert attributes(span)["session.id"] == span.name

    def test_interleaved_in_one_another_and_in_a_session(self, spans: Spans) -> None:
        @ao.session
        def inner() -> Iterator[ao.Session | None]:
            yield ao.current_session()

        @ao.session
        def outer() -> Iterator[ao.Session | None]:
            session = ao.current_session()
            for other in inner():
                assert other is not session
                assert ao.current_session() is session
                yield other
            assert ao.current_session() is session

        with ao.session() as around:
            for _ in outer():
                assert ao.current_session() is around
            assert ao.current_session() is around

    def test_stepped_in_several_threads_keeps_its_session(self, spans: Spans) -> None:
        from concurrent.futures import ThreadPoolExecutor

        @ao.session
        def work() -> Iterator[ao.Session | None]:
            for _ in range(4):
                yield ao.current_session()

        steps = work()
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
            seen = [pool.submit(next, steps).result() for pool in (one, two, one, two)]
        assert len({id(session) for session in seen}) == 1
        assert seen[0] is not None
        list(steps)
        assert ending(spans.root()) == COMPLETED

    def test_recursive_generators(self, spans: Spans) -> None:
        @ao.session
        def walk(depth: int) -> Iterator[int]:
            yield depth
            if depth:
                yield from walk(depth - 1)

        assert list(walk(5)) == [5, 4, 3, 2, 1, 0]
        assert len(spans.roots()) == 6

    def test_context_managers_made_of_it(self, spans: Spans) -> None:
        @contextmanager
        @ao.session
        def block() -> Iterator[ao.Session | None]:
            yield ao.current_session()

        with block() as session:
            assert session is not None
            assert session.is_open
        assert ending(spans.root()) == COMPLETED
        with pytest.raises(ValueError, match="mine"), block():
            raise ValueError("mine")


class TestAsyncGenerator:
    def test_starts_with_its_first_step(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[int]:
            yield 1

        async def main() -> None:
            steps = work()
            assert ao.open_sessions() == []
            assert await anext(steps) == 1
            assert len(ao.open_sessions()) == 1
            assert await collect(steps) == []

        asyncio.run(main())
        assert ending(spans.root()) == COMPLETED

    def test_is_current_in_the_body_and_not_between_the_steps(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[ao.Session | None]:
            yield ao.current_session()
            await asyncio.sleep(0)
            yield ao.current_session()

        async def main() -> list[ao.Session | None]:
            inside = []
            with spans.tracer.start_as_current_span("consumer") as consumer:
                async for session in work():
                    inside.append(session)
                    assert ao.current_session() is None
                    assert trace.get_current_span() is consumer
                    await asyncio.sleep(0)
                    assert ao.current_session() is None
            return inside

        first, second = asyncio.run(main())
        assert first is not None
        assert first is second

    def test_spans_opened_across_yields_stay_parents_in_the_body(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[None]:
            with spans.tracer.start_as_current_span("across"):
                yield
                await asyncio.sleep(0)
                spans.tracer.start_span("child").end()
                yield

        async def main() -> None:
            async for _ in work():
                spans.tracer.start_span("of the consumer").end()

        asyncio.run(main())
        assert spans.by_name("child").parent == context_of(spans.by_name("across"))
        assert {span.parent for span in spans.all() if span.name == "of the consumer"} == {None}

    def test_context_variables_of_the_body_can_be_reset_across_yields(
        self, spans: Spans, caplog: pytest.LogCaptureFixture
    ) -> None:
        @ao.session
        async def work() -> AsyncIterator[str]:
            token = VARIABLE.set("inside")
            otel = context.attach(context.set_value("k", "v"))
            yield VARIABLE.get()
            await asyncio.sleep(0)
            context.detach(otel)
            VARIABLE.reset(token)
            yield VARIABLE.get()

        async def main() -> list[str]:
            seen = []
            async for item in work():
                seen.append(item)
                assert VARIABLE.get() == "outside"
            return seen

        assert asyncio.run(main()) == ["inside", "outside"]
        assert caplog.text == ""

    def test_asend_and_athrow_work_as_ever(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncGenerator[Any, Any]:
            got = yield "first"
            await asyncio.sleep(0)
            try:
                yield got
            except KeyError as error:
                await asyncio.sleep(0)
                yield error

        async def main() -> None:
            steps = work()
            error = KeyError("thrown")
            assert await anext(steps) == "first"
            assert await steps.asend("sent") == "sent"
            assert await steps.athrow(error) is error
            with pytest.raises(StopAsyncIteration):
                await anext(steps)

        asyncio.run(main())
        assert ending(spans.root()) == COMPLETED

    def test_exception_of_the_body_passes_untouched(self, spans: Spans) -> None:
        error = ValueError("mine")

        @ao.session
        async def work() -> AsyncIterator[int]:
            yield 1
            await asyncio.sleep(0)
            raise error

        with pytest.raises(ValueError) as caught:
            asyncio.run(collect(work()))
        assert caught.value is error
        assert traceback.extract_tb(error.__traceback__)[-1].line == "raise error"
        assert ending(spans.root()) == ERROR

    def test_exception_thrown_in_and_not_caught_comes_out_again(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncGenerator[int]:
            yield 1

        error = ValueError("thrown")

        async def main() -> None:
            steps = work()
            await anext(steps)
            await steps.athrow(error)

        with pytest.raises(ValueError) as caught:
            asyncio.run(main())
        assert caught.value is error
        assert error.__cause__ is None
        assert ending(spans.root()) == ERROR

    def test_closed_early_is_cancelled_and_the_body_cleans_up_in_its_context(self, spans: Spans) -> None:
        cleaned: list[ao.Session | None] = []

        @ao.session
        async def work() -> AsyncGenerator[ao.Session | None]:
            try:
                yield ao.current_session()
            finally:
                await asyncio.sleep(0)
                cleaned.append(ao.current_session())

        async def main() -> ao.Session | None:
            async with aclosing(work()) as steps:
                return await anext(steps)

        session = asyncio.run(main())
        assert session is not None
        assert cleaned == [session]
        assert ending(spans.root()) == CANCELLED

    def test_abandoned_is_cancelled(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        @ao.session
        async def work() -> AsyncIterator[int]:
            with spans.tracer.start_as_current_span("across"):
                yield 1
                yield 2

        async def main() -> None:
            async for _ in work():
                break
            gc.collect()
            for _ in range(3):
                await asyncio.sleep(0)

        asyncio.run(main())
        assert ending(spans.root()) == CANCELLED
        assert caplog.text == ""

    def test_abandoned_with_the_loop_is_cancelled(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        @ao.session
        async def work() -> AsyncIterator[int]:
            yield 1

        async def main() -> AsyncIterator[int]:
            steps = work()
            await anext(steps)
            return steps

        kept = asyncio.run(main())
        assert ending(spans.root()) == CANCELLED
        assert caplog.text == ""
        del kept

    def test_abandoned_without_a_loop_arrives(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[int]:
            yield 1

        step = anext(work())
        with pytest.raises(StopIteration):
            step.__await__().send(None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del step
            gc.collect()
            state, _, _ = ending(spans.root())
        assert state == "unknown"

    def test_futures_events_timeouts_and_tasks_work_inside(self, spans: Spans) -> None:
        async def main() -> list[Any]:
            event = asyncio.Event()
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            @ao.session
            async def work() -> AsyncIterator[Any]:
                session = ao.current_session()
                yield "started"
                await event.wait()
                yield await future
                yield await asyncio.wait_for(asyncio.sleep(0, "slept"), 10)
                yield await asyncio.to_thread(ao.current_session) is session
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), 0.001)
                yield await asyncio.gather(*(asyncio.sleep(0, number) for number in range(3)))
                yield ao.current_session() is session

            got = []
            async for item in work():
                got.append(item)
                if item == "started":
                    asyncio.get_running_loop().call_soon(event.set)
                    asyncio.get_running_loop().call_soon(future.set_result, "future")
            return got

        assert asyncio.run(main()) == ["started", "future", "slept", True, [0, 1, 2], True]
        assert ending(spans.root()) == COMPLETED

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="task groups came with Python 3.11")
    def test_task_groups_and_timeout_blocks_work_inside(self, spans: Spans) -> None:
        if sys.version_info < (3, 11):
            return

        @ao.session
        async def work() -> AsyncIterator[Any]:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.to_thread(ao.current_session))
            assert task.result() is ao.current_session()
            yield "task group"
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
            except TimeoutError:
                yield "timed out"

        assert asyncio.run(collect(work())) == ["task group", "timed out"]
        assert ending(spans.root()) == COMPLETED

    def test_cancelled_while_its_body_waits_is_cancelled(self, spans: Spans) -> None:
        cleaned = []

        @ao.session
        async def work() -> AsyncIterator[int]:
            yield 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cleaned.append(ao.current_session() is not None)
                raise

        async def main() -> None:
            task = asyncio.create_task(collect(work()))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert cleaned == [True]
        assert ending(spans.root()) == CANCELLED

    def test_cancelled_in_its_consumer_arrives(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[int]:
            yield 1

        async def main() -> None:
            async def consume() -> None:
                async for _ in work():
                    await asyncio.Event().wait()

            task = asyncio.create_task(consume())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task

        asyncio.run(main())
        gc.collect()
        assert ending(spans.root()) == CANCELLED

    def test_interleaved_generators_have_their_own(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[str]:
            for _ in range(3):
                await asyncio.sleep(0)
                session = ao.current_session()
                assert session is not None
                yield session.id

        async def main() -> None:
            first, second = work(), work()
            ids = [(await anext(first), await anext(second)) for _ in range(3)]
            assert len({pair[0] for pair in ids}) == len({pair[1] for pair in ids}) == 1
            assert ids[0][0] != ids[0][1]
            await collect(first)
            await collect(second)

        asyncio.run(main())
        assert len(spans.roots()) == 2

    def test_consumed_by_several_tasks_in_turn_keeps_its_session(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[ao.Session | None]:
            for _ in range(3):
                yield ao.current_session()

        async def main() -> None:
            steps = work()

            async def step() -> ao.Session | None:
                return await anext(steps)

            seen = [await asyncio.create_task(step()) for _ in range(3)]
            assert seen[0] is not None
            assert seen[0] is seen[1] is seen[2]
            await collect(steps)

        asyncio.run(main())
        assert ending(spans.root()) == COMPLETED

    def test_a_second_step_at_the_same_time_is_refused_as_ever(self, spans: Spans) -> None:
        @ao.session
        async def work() -> AsyncIterator[int]:
            await asyncio.sleep(0)
            yield 1

        async def main() -> None:
            steps = work()
            first = asyncio.ensure_future(_next(steps))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="already running"):
                await anext(steps)
            assert await first == 1
            await collect(steps)

        asyncio.run(main())

    def test_async_context_managers_made_of_it(self, spans: Spans) -> None:
        @asynccontextmanager
        @ao.session
        async def block() -> AsyncIterator[ao.Session | None]:
            yield ao.current_session()

        async def main() -> None:
            async with block() as session:
                assert session is not None
                await asyncio.sleep(0)

        asyncio.run(main())
        assert ending(spans.root()) == COMPLETED


async def _next(steps: AsyncIterator[int]) -> int:
    return await anext(steps)


def test_coroutines_of_other_loops_pass_through(spans: Spans) -> None:
    """Awaitables that yield whatever they like, as other event loops do."""

    class Yielding:
        def __await__(self) -> Generator[str, str, str]:
            return (yield "to the loop")

    @ao.session
    async def work() -> AsyncIterator[str]:
        yield await Yielding()

    async def main() -> str:
        return await anext(work())

    made: Any = main()
    assert made.send(None) == "to the loop"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(StopIteration) as stop:
            made.send("from the loop")
        gc.collect()
        spans.all()
    assert stop.value.value == "from the loop"


def test_every_kind_passes_a_base_exception(spans: Spans) -> None:
    error = KeyboardInterrupt()

    @ao.session
    def plain() -> None:
        raise error

    @ao.session
    def steps() -> Iterator[int]:
        yield 1
        raise error

    for call in (plain, lambda: list(steps())):
        with pytest.raises(KeyboardInterrupt) as caught:
            call()
        assert caught.value is error
    assert [ending(root) for root in spans.roots()] == [("unknown", "signal", "UNSET")] * 2
