"""Agents, workflows, tasks, tools and guardrails: what their spans are, and that functions stay what they are."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import operator
import pickle
import signal
import threading
import time
import traceback
import typing
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, contextmanager, suppress
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind
from support import programs
from support.otlp import Receiver
from support.spans import Spans, attributes, context_of, in_use

import agentops_otel as ao
from agentops_otel import shield
from agentops_otel.runtime import runtime

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="outside")


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


@ao.tool
def at_the_top(number: int) -> int:
    return number


KINDS: list[Callable[..., Any]] = [function, coroutine, generator, async_generator]
BARE: dict[str, Callable[[Any], Any]] = {
    "agent": ao.agent,
    "workflow": ao.workflow,
    "task": ao.task,
    "tool": ao.tool,
    "guardrail": ao.guardrail,
}
MAKERS: dict[str, Callable[..., Any]] = {**BARE}

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
each_decorator = pytest.mark.parametrize("decorate", BARE.values(), ids=BARE)
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


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


def own(span: ReadableSpan) -> dict[str, Any]:
    """The attributes that do not say where the function stands."""
    return {key: value for key, value in attributes(span).items() if not key.startswith("code.")}


def outcome(span: ReadableSpan) -> tuple[str, Any, Any, int]:
    """Status, error type, end reason and number of recorded exceptions."""
    said = attributes(span)
    recorded = [event for event in span.events if event.name == "exception"]
    return (
        span.status.status_code.name,
        said.get("error.type"),
        said.get("agentops.session.end_reason"),
        len(recorded),
    )


COMPLETED = ("UNSET", None, None, 0)
CANCELLED = ("UNSET", None, "cancelled", 0)


class Own(Sampler):
    """Samples as ``decide(span_name)`` says."""

    def __init__(self, decide: Callable[[str], SamplingResult]) -> None:
        self.decide = decide

    def should_sample(
        self, parent_context: Context | None, trace_id: int, name: str, *args: Any, **kwargs: Any
    ) -> SamplingResult:
        return self.decide(name)

    def get_description(self) -> str:
        return "own"


class TestSpans:
    @pytest.mark.parametrize(
        ("make", "name", "written"),
        [
            (ao.agent, "invoke_agent n", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "n"}),
            (
                ao.workflow,
                "invoke_workflow n",
                {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "n"},
            ),
            (
                ao.tool,
                "execute_tool n",
                {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "n", "gen_ai.tool.type": "function"},
            ),
            (ao.task, "task n", {"agentops.span.kind": "task"}),
            (ao.guardrail, "guardrail n", {"agentops.span.kind": "guardrail"}),
        ],
    )
    def test_follow_the_conventions(
        self, spans: Spans, make: Callable[..., Any], name: str, written: dict[str, str]
    ) -> None:
        make("n", attributes={"k": 1})(function)(1, c=1.0)
        [span] = spans.all()
        assert span.name == name
        assert span.kind is SpanKind.INTERNAL
        assert own(span) == {**written, "k": 1}
        assert outcome(span) == COMPLETED

    def test_of_agents_have_a_version(self, spans: Spans) -> None:
        ao.agent(version="1.2")(function)(1, c=1.0)
        assert attributes(spans.by_name("invoke_agent function"))["gen_ai.agent.version"] == "1.2"

    @each_kind
    def test_say_where_the_function_stands(self, spans: Spans, kind: Callable[..., Any]) -> None:
        drain(ao.tool(kind)(1, c=1.0))
        [span] = spans.all()
        said = attributes(span)
        assert said["code.function.name"] == f"{__name__}.{kind.__name__}"
        assert said["code.file.path"] == __file__
        assert said["code.line.number"] == kind.__code__.co_firstlineno

    def test_cannot_be_named_otherwise_by_attributes(self, spans: Spans) -> None:
        ao.tool("n", attributes={"gen_ai.tool.name": "other"})(function)(1, c=1.0)
        assert attributes(spans.by_name("execute_tool n"))["gen_ai.tool.name"] == "n"

    def test_without_a_session_are_roots_of_their_own(self, spans: Spans) -> None:
        ao.task(lambda: ao.tool(function)(1, c=1.0))()
        tool, task = spans.all()
        assert task.parent is None
        assert tool.parent is not None
        assert tool.parent.span_id == context_of(task).span_id
        assert ao.open_sessions() == []

    def test_in_a_session_belong_to_it(self, spans: Spans) -> None:
        with ao.session("s", id="the id") as session:
            ao.agent(lambda: ao.tool(function)(1, c=1.0))()
        root = spans.root()
        agent, tool = spans.by_name("invoke_agent <lambda>"), spans.by_name("execute_tool function")
        assert agent.parent is not None
        assert agent.parent.span_id == context_of(root).span_id
        assert attributes(agent)["session.id"] == attributes(tool)["session.id"] == session.id
        assert (session.totals.agent_calls, session.totals.tool_calls) == (1, 1)

    def test_are_current_in_the_function_only(self, spans: Spans) -> None:
        @ao.task
        def work() -> trace.SpanContext:
            return trace.get_current_span().get_span_context()

        inside = work()
        assert inside == context_of(spans.by_name("task work"))
        assert not trace.get_current_span().get_span_context().is_valid

    @pytest.mark.parametrize("sampled", [{}, {"own": 1}])
    def test_have_their_attributes_whatever_the_sampler_returns(self, sampled: dict[str, Any]) -> None:
        with in_use(Spans(sampler=Own(lambda name: SamplingResult(Decision.RECORD_AND_SAMPLE, sampled)))) as spans:
            ao.tool(function)(1, c=1.0)
            assert own(spans.by_name("execute_tool function")) == {
                **sampled,
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "function",
                "gen_ai.tool.type": "function",
            }


@each_kind
@each_decorator
@pytest.mark.parametrize("is_bare", [True, False])
class TestStaysWhatItIs:
    def test_metadata(self, kind: Callable[..., Any], decorate: Callable[..., Any], is_bare: bool) -> None:
        decorated = decorate(kind) if is_bare else decorate("n")(kind)
        for name in functools.WRAPPER_ASSIGNMENTS:
            assert getattr(decorated, name) == getattr(kind, name)
        assert decorated.__wrapped__ is kind
        assert inspect.signature(decorated) == inspect.signature(kind)
        assert typing.get_type_hints(decorated) == typing.get_type_hints(kind)
        for is_one in (
            inspect.isfunction,
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
        ):
            assert is_one(decorated) is is_one(kind)

    def test_wrong_calls_fail_as_they_did(
        self, spans: Spans, kind: Callable[..., Any], decorate: Callable[..., Any], is_bare: bool
    ) -> None:
        decorated = decorate(kind) if is_bare else decorate("n")(kind)
        runtime.set(content_on_spans=True)
        with pytest.raises(TypeError) as bare:
            drain(kind(1))
        with pytest.raises(TypeError) as wrapped:
            drain(decorated(1))
        assert str(wrapped.value) == str(bare.value)

    def test_results(self, spans: Spans, kind: Callable[..., Any], decorate: Callable[..., Any], is_bare: bool) -> None:
        decorated = decorate(kind) if is_bare else decorate("n")(kind)
        for _ in range(2):
            assert drain(decorated(1, "passed", 2, c=3.0, d=True)) in ("passed", ["passed"])
        assert [outcome(span) for span in spans.all()] == [COMPLETED] * 2


class TestWhatCanBeDecorated:
    def test_partials_are_named_after_what_they_call(self, spans: Spans) -> None:
        assert ao.tool(functools.partial(functools.partial(function, 1), c=1.0))("x") == "x"
        assert attributes(spans.by_name("execute_tool function"))["code.function.name"] == f"{__name__}.function"

    @each_kind
    def test_partials_of_every_kind(self, spans: Spans, kind: Callable[..., Any]) -> None:
        assert drain(ao.tool(functools.partial(kind, 1, c=1.0))("x")) in ("x", ["x"])
        assert spans.names() == [f"execute_tool {kind.__name__}"]

    def test_callable_objects_are_named_after_their_class(self, spans: Spans) -> None:
        class Search:
            async def __call__(self, question: str) -> str:
                await asyncio.sleep(0)
                assert trace.get_current_span().get_span_context().is_valid
                return question

        assert asyncio.run(ao.tool(Search())("why")) == "why"
        assert ao.tool(functools.partial(Search(), "why"))
        assert spans.names() == ["execute_tool Search"]

    @pytest.mark.parametrize(
        ("built_in", "argument", "name"),
        [
            (len, "ab", "len"),
            (str.upper, "ab", "upper"),
            (operator.itemgetter(0), "ab", "itemgetter"),
            (max, "ab", "max"),
        ],
    )
    def test_built_in_functions(self, spans: Spans, built_in: Callable[[Any], Any], argument: Any, name: str) -> None:
        assert ao.tool(built_in)(argument) == built_in(argument)
        assert spans.names() == [f"execute_tool {name}"]

    def test_methods_of_every_kind_decorated_above_and_below(self, spans: Spans) -> None:
        class Toolbox:
            @ao.tool
            def method(self, number: int) -> int:
                return number

            @ao.tool
            @classmethod
            def of_the_class(cls, number: int) -> tuple[type, int]:
                return cls, number

            @classmethod
            @ao.tool
            def of_the_class_below(cls, number: int) -> tuple[type, int]:
                return cls, number

            @ao.tool("named")
            @staticmethod
            def static(number: int) -> int:
                return number

            @staticmethod
            @ao.tool
            def static_below(number: int) -> int:
                return number

            @property
            @ao.tool
            def computed(self) -> int:
                return 6

        class Special(Toolbox):
            pass

        box = Special()
        assert (box.method(1), Toolbox.method(box, 1)) == (1, 1)
        assert box.of_the_class(2) == Special.of_the_class(2) == (Special, 2)
        assert box.of_the_class_below(3) == (Special, 3)
        assert box.static(4) == Special.static(4) == 4
        assert box.static_below(5) == 5
        assert box.computed == 6
        assert [name.removeprefix("execute_tool ") for name in spans.names()] == [
            *["method"] * 2,
            *["of_the_class"] * 2,
            "of_the_class_below",
            *["named"] * 2,
            "static_below",
            "computed",
        ]

    def test_decorated_functions_can_be_pickled(self, spans: Spans) -> None:
        again = pickle.loads(pickle.dumps(at_the_top))
        assert again is at_the_top
        assert again(1) == 1

    def test_a_function_may_be_several_things(self, spans: Spans) -> None:
        ao.session("s")(ao.agent("a")(ao.tool("t")(function)))(1, c=1.0)
        assert spans.names() == ["execute_tool t", "invoke_agent a", "session s"]


class TestWrongArguments:
    @each_maker
    @pytest.mark.parametrize(
        ("arguments", "error", "names"),
        [
            ({"name": 1}, TypeError, "name"),
            ({"name": ""}, ValueError, "name"),
            ({"attributes": 1}, TypeError, "attributes"),
            ({"attributes": {"k": object()}}, TypeError, "attributes"),
            ({"attributes": {1: "v"}}, TypeError, "attributes"),
            ({"colour": "red"}, TypeError, "colour"),
        ],
    )
    def test_are_refused_at_once(
        self, make: Callable[..., Any], arguments: dict[str, Any], error: type[Exception], names: str
    ) -> None:
        with pytest.raises(error, match=names):
            make(**arguments)

    @pytest.mark.parametrize(("version", "error"), [(1, TypeError), ("", ValueError)])
    def test_versions(self, version: Any, error: type[Exception]) -> None:
        with pytest.raises(error, match="version"):
            ao.agent(version=version)

    @each_maker
    @pytest.mark.parametrize("wrong", [1, None, "name", object(), [function], property(len)])
    def test_what_cannot_be_called(self, make: Callable[..., Any], wrong: Any) -> None:
        with pytest.raises(TypeError, match="decorates a function or a class"):
            make()(wrong)


class TestNothingIsRecorded:
    @each_kind
    def test_without_an_sdk(self, kind: Callable[..., Any]) -> None:
        assert drain(ao.agent(kind)(1, "x", c=1.0)) in ("x", ["x"])

    @each_kind
    @pytest.mark.parametrize("how", ["now", "as of old"])
    def test_where_instrumentation_is_suppressed(self, spans: Spans, kind: Callable[..., Any], how: str) -> None:
        @contextmanager
        def as_of_old() -> Iterator[None]:
            token = context.attach(context.set_value("suppress_instrumentation", True))
            yield
            context.detach(token)

        with suppress_instrumentation() if how == "now" else as_of_old():
            assert drain(ao.agent(kind)(1, "x", c=1.0)) in ("x", ["x"])
        assert spans.all() == []
        drain(ao.agent(kind)(1, c=1.0))
        assert len(spans.all()) == 1

    def test_of_generators_they_are_the_plain_ones(self) -> None:
        @ao.tool
        def echo() -> Any:
            try:
                yield (yield 1)
            except ValueError as error:
                yield error
            finally:
                VARIABLE.set("closed")

        @ao.tool
        async def asynchronous() -> Any:
            try:
                yield (yield 1)
            except ValueError as error:
                yield error
            finally:
                VARIABLE.set("closed")

        def sync() -> None:
            steps, error = echo(), ValueError()
            assert [next(steps), steps.send(2), steps.throw(error)] == [1, 2, error]
            steps.close()
            assert VARIABLE.get() == "closed"  # in the very context of the caller

        async def main() -> None:
            steps, error = asynchronous(), ValueError()
            assert [await anext(steps), await steps.asend(2), await steps.athrow(error)] == [1, 2, error]
            await steps.aclose()
            assert VARIABLE.get() == "closed"

        contextvars.copy_context().run(sync)
        asyncio.run(main())

    def test_of_unsampled_spans_but_they_are_current_all_the_same(self) -> None:
        with in_use(Spans(sampler=ALWAYS_OFF)) as spans:

            @ao.agent
            def inner() -> int:
                return trace.get_current_span().get_span_context().trace_id

            @ao.task
            def outer() -> tuple[int, int]:
                return trace.get_current_span().get_span_context().trace_id, inner()

            mine, inside = outer()
            assert mine == inside != 0
            assert spans.all() == []


class TestCoroutine:
    def test_starts_when_it_is_awaited(self, spans: Spans) -> None:
        @ao.task
        async def work() -> None:
            pass

        made = work()
        before = time.time_ns()
        asyncio.run(made)
        assert (spans.by_name("task work").start_time or 0) >= before

    def test_concurrent_calls_have_their_own(self, spans: Spans) -> None:
        @ao.task
        async def work(number: int) -> int:
            mine = trace.get_current_span()
            await asyncio.sleep(0)
            assert trace.get_current_span() is mine
            return mine.get_span_context().span_id

        async def main() -> list[int]:
            return await asyncio.gather(*(work(number) for number in range(5)))

        assert len(set(asyncio.run(main()))) == 5

    def test_cancelled(self, spans: Spans) -> None:
        @ao.task
        async def work() -> None:
            await asyncio.Event().wait()

        async def main() -> None:
            task = asyncio.ensure_future(work())
            await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert outcome(spans.by_name("task work")) == CANCELLED

    def test_dropped_in_the_middle_leaves_current_what_became_so_since(self, spans: Spans) -> None:
        class Once:
            def __await__(self) -> Generator[None, None, None]:
                yield

        @ao.task
        async def work() -> None:
            await Once()

        def drive() -> None:
            made = work()
            made.send(None)
            with spans.tracer.start_as_current_span("later") as later:
                del made
                assert trace.get_current_span() is later

        contextvars.copy_context().run(drive)
        assert outcome(spans.by_name("task work")) == CANCELLED


class TestGenerator:
    def test_is_current_in_the_body_and_not_between_the_steps(self, spans: Spans) -> None:
        @ao.tool
        def work() -> Iterator[trace.Span]:
            for _ in range(2):
                yield trace.get_current_span()

        steps = work()
        first = next(steps)
        assert not trace.get_current_span().get_span_context().is_valid
        with spans.tracer.start_as_current_span("outer") as outer:
            assert next(steps) is first
            assert trace.get_current_span() is outer
        assert list(steps) == []
        assert context_of(spans.by_name("execute_tool work")) == first.get_span_context()

    def test_interleaved_with_one_another(self, spans: Spans) -> None:
        @ao.tool
        def work() -> Iterator[int]:
            for _ in range(3):
                yield trace.get_current_span().get_span_context().span_id

        seen = list(zip(work(), work(), strict=True))
        assert len(set(seen)) == 1
        assert seen[0][0] != seen[0][1]

    @pytest.mark.parametrize("how", ["closed", "left by a break", "in a cycle"])
    @pytest.mark.parametrize("in_session", [True, False])
    def test_abandoned_is_cancelled(self, spans: Spans, how: str, in_session: bool) -> None:
        @ao.tool
        def work() -> Iterator[int]:
            yield 1
            yield 2

        def abandon() -> None:
            if how == "closed":
                with closing(work()) as steps:  # type: ignore[type-var]
                    next(steps)
            elif how == "left by a break":
                for _ in work():
                    break
            else:
                cycle: list[Any] = [work()]
                next(cycle[0])
                cycle.append(cycle)

        if in_session:
            with ao.session("s"):
                abandon()
                gc.collect()
                spans.all()
        else:
            abandon()
            gc.collect()
        assert outcome(spans.by_name("execute_tool work")) == CANCELLED

    def test_closed_by_the_garbage_collector_takes_no_lock_there(self) -> None:
        threads: list[str] = []

        class Names(SpanProcessor):
            def on_end(self, span: ReadableSpan) -> None:
                threads.append(threading.current_thread().name)

        with in_use(Spans(before=[Names()])) as spans:

            @ao.tool
            def work() -> Iterator[int]:
                yield 1

            steps = work()
            next(steps)
            del steps
            assert outcome(spans.by_name("execute_tool work")) == CANCELLED
        assert threads == ["agentops-otel"]

    def test_ends_when_it_was_closed_not_when_that_is_written(self, spans: Spans) -> None:
        @ao.tool
        def work() -> Iterator[int]:
            yield 1

        released = threading.Event()
        steps = work()
        next(steps)
        runtime.worker.post(released.wait, 20)
        del steps
        after = time.time_ns()
        released.set()
        assert (spans.by_name("execute_tool work").end_time or after + 1) <= after

    def test_that_the_end_of_its_session_has_ended_is_not_written_to_again(
        self, spans: Spans, caplog: pytest.LogCaptureFixture
    ) -> None:
        @ao.tool
        def work() -> Iterator[int]:
            yield 1

        with ao.session("s") as session:
            steps = work()
            next(steps)
            session.end("error", "timeout")
            steps.close()  # type: ignore[attr-defined]
        assert outcome(spans.by_name("execute_tool work")) == ("UNSET", None, "timeout", 0)
        assert [record for record in caplog.records if record.levelname == "WARNING"] == []


class TestAsyncGenerator:
    def test_is_current_in_the_body_and_not_between_the_steps(self, spans: Spans) -> None:
        @ao.tool
        async def work() -> AsyncIterator[trace.Span]:
            for _ in range(2):
                await asyncio.sleep(0)
                yield trace.get_current_span()

        async def main() -> None:
            seen = []
            async for span in work():
                seen.append(span)
                assert not trace.get_current_span().get_span_context().is_valid
            assert seen[0] is seen[1]

        asyncio.run(main())
        assert outcome(spans.by_name("execute_tool work")) == COMPLETED

    @pytest.mark.parametrize("how", ["closed", "abandoned", "abandoned with the loop"])
    def test_left_early_is_cancelled(self, spans: Spans, how: str, caplog: pytest.LogCaptureFixture) -> None:
        @ao.tool
        async def work() -> AsyncIterator[int]:
            yield 1
            yield 2

        kept: list[Any] = []

        async def main() -> None:
            if how == "closed":
                async with aclosing(work()) as steps:  # type: ignore[type-var]
                    await anext(steps)
            else:
                kept.append(work())
                await anext(kept[0])
                if how == "abandoned":
                    kept.clear()
                    gc.collect()
                    await asyncio.sleep(0)

        asyncio.run(main())
        assert outcome(spans.by_name("execute_tool work")) == CANCELLED
        assert "context" not in caplog.text


class TestExceptions:
    def test_pass_untouched(self, spans: Spans) -> None:
        cause, handled, error = KeyError("cause"), KeyError("handled"), ValueError("mine")
        error.__cause__ = cause

        @ao.agent
        @ao.tool
        def work() -> None:
            raise error

        with pytest.raises(ValueError) as caught:  # noqa: PT012
            try:
                raise handled
            except KeyError:
                work()
        assert caught.value is error
        assert error.__cause__ is cause
        assert error.__context__ is handled
        assert handled.__context__ is None
        assert error.args == ("mine",)
        assert vars(error) == {}
        assert traceback.extract_tb(error.__traceback__)[-1].line == "raise error"

    def test_are_recorded_on_the_innermost_span_only(self, spans: Spans) -> None:
        @ao.tool
        def inner() -> None:
            raise ValueError("boom")

        @ao.task
        def middle() -> None:
            with spans.tracer.start_as_current_span("plain", record_exception=False, set_status_on_exception=False):
                inner()

        with pytest.raises(ValueError):
            ao.agent("outer")(middle)()
        innermost = spans.by_name("execute_tool inner")
        assert outcome(innermost) == ("ERROR", "ValueError", None, 1)
        assert innermost.status.description == "ValueError: boom"
        for name in ("task middle", "invoke_agent outer"):
            assert outcome(spans.by_name(name)) == ("ERROR", "ValueError", None, 0)

    def test_are_recorded_once_through_functions_of_every_kind(self, spans: Spans) -> None:
        @ao.tool
        def plain() -> None:
            raise ValueError("boom")

        @ao.task
        def steps() -> Iterator[int]:
            yield 1
            plain()

        @ao.task
        async def waits() -> None:
            await asyncio.sleep(0)
            assert list(steps())

        @ao.task
        async def asynchronous_steps() -> AsyncIterator[int]:
            yield 1
            await asyncio.ensure_future(waits())

        @ao.workflow
        async def whole() -> None:
            async for _ in asynchronous_steps():
                pass

        @ao.agent
        def agent() -> None:
            with ThreadPoolExecutor() as pool:
                pool.submit(asyncio.run, whole()).result()

        with pytest.raises(ValueError):
            agent()
        recorded = {span.name: len(span.events) for span in spans.all()}
        assert recorded == {
            "execute_tool plain": 1,
            "task steps": 0,
            "task waits": 0,
            "task asynchronous_steps": 0,
            "invoke_workflow whole": 0,
            "invoke_agent agent": 0,
        }
        assert {outcome(span)[:3] for span in spans.all()} == {("ERROR", "ValueError", None)}

    def test_that_are_new_are_recorded_again(self, spans: Spans) -> None:
        @ao.tool
        def inner() -> None:
            raise ValueError("inner")

        @ao.agent
        def outer() -> None:
            try:
                inner()
            except ValueError as error:
                raise KeyError("outer") from error

        with pytest.raises(KeyError):
            outer()
        assert outcome(spans.by_name("execute_tool inner")) == ("ERROR", "ValueError", None, 1)
        assert outcome(spans.by_name("invoke_agent outer")) == ("ERROR", "KeyError", None, 1)

    def test_that_are_raised_again_in_a_later_call_are_recorded_there_too(self, spans: Spans) -> None:
        error = ValueError("the one object")

        @ao.tool
        def work() -> None:
            raise error

        for _ in range(3):
            with suppress(ValueError):
                work()
        assert [outcome(span)[3] for span in spans.all()] == [1, 1, 1]

    def test_that_were_caught_inside_leave_no_trace(self, spans: Spans) -> None:
        @ao.tool
        def inner() -> None:
            raise ValueError("boom")

        @ao.agent
        def outer() -> None:
            with suppress(ValueError):
                inner()

        outer()
        assert outcome(spans.by_name("invoke_agent outer")) == COMPLETED

    def test_that_no_span_inside_has_recorded_are_recorded_outside(self, spans: Spans) -> None:
        @ao.tool
        def inner() -> None:
            raise ValueError("boom")

        @ao.agent
        def outer() -> None:
            with suppress_instrumentation():
                inner()

        with pytest.raises(ValueError):
            outer()
        assert outcome(spans.by_name("invoke_agent outer")) == ("ERROR", "ValueError", None, 1)

    def test_that_only_an_unsampled_span_inside_has_seen_are_recorded_outside(self) -> None:
        def sampled(name: str) -> SamplingResult:
            return SamplingResult(Decision.DROP if name.startswith("execute_tool") else Decision.RECORD_AND_SAMPLE)

        @ao.tool
        def inner() -> None:
            raise ValueError("boom")

        with in_use(Spans(sampler=Own(sampled))) as spans:
            with pytest.raises(ValueError):
                ao.agent("outer")(inner)()
            assert outcome(spans.by_name("invoke_agent outer")) == ("ERROR", "ValueError", None, 1)

    @pytest.mark.parametrize(
        ("error", "reason", "signal"),
        [(KeyboardInterrupt(), "signal", "SIGINT"), (SystemExit(1), "process_exit", None)],
    )
    @each_kind
    def test_that_end_the_program_are_no_errors(
        self, spans: Spans, kind: Callable[..., Any], error: BaseException, reason: str, signal: str | None
    ) -> None:
        def plain() -> None:
            raise error

        def steps() -> Iterator[int]:
            yield 1
            raise error

        async def waits() -> None:
            raise error

        async def asynchronous_steps() -> AsyncIterator[int]:
            yield 1
            raise error

        bodies = dict(zip(KINDS, (plain, waits, steps, asynchronous_steps), strict=True))
        with pytest.raises(type(error)) as caught:
            drain_here(ao.task("n")(bodies[kind])())
        assert caught.value is error
        span = spans.by_name("task n")
        assert outcome(span) == ("UNSET", None, reason, 0)
        assert attributes(span).get("agentops.session.exit.signal") == signal

    def test_are_not_kept(self, spans: Spans) -> None:
        class Own(Exception):
            pass

        raised: list[weakref.ref[Own]] = []

        @ao.agent
        @ao.tool
        def work() -> None:
            error = Own()
            raised.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error

        gc.disable()  # not even in a cycle
        try:
            with suppress(Own):
                work()
            assert raised[0]() is None
        finally:
            gc.enable()


def drain_here(result: Any) -> None:
    """As `drain`, but without a loop, which would handle some exceptions in its own way."""
    if inspect.isgenerator(result):
        list(result)
    elif inspect.iscoroutine(result):
        result.send(None)
    elif inspect.isasyncgen(result):
        with suppress(StopIteration):
            result.__anext__().send(None)
        result.__anext__().send(None)


@pytest.fixture
def as_in_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shield, "reraise", False)
    monkeypatch.setattr(shield, "_said", set())


class Raising(SpanProcessor):
    def __init__(self, method: str) -> None:
        self.method = method

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        if self.method == "on_start":
            raise ValueError("mine")

    def on_end(self, span: ReadableSpan) -> None:
        if self.method == "on_end":
            raise ValueError("mine")


def refuse(name: str) -> SamplingResult:
    raise ValueError("mine")


@pytest.mark.usefixtures("as_in_programs")
class TestWhatTheUsersPartsRaise:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: Spans(before=[Raising("on_start")]),
            lambda: Spans(before=[Raising("on_end")]),
            lambda: Spans(sampler=Own(refuse)),
        ],
        ids=["on_start", "on_end", "sampler"],
    )
    @each_kind
    @pytest.mark.parametrize("fails", [True, False])
    def test_does_not_reach_the_function(
        self, make: Callable[[], Spans], kind: Callable[..., Any], fails: bool
    ) -> None:
        calls: list[Any] = []

        def work(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            if fails:
                raise KeyError("the function's own")
            return "x"

        async def waits(*args: Any, **kwargs: Any) -> Any:
            return work(*args, **kwargs)

        def steps(*args: Any, **kwargs: Any) -> Any:
            yield work(*args, **kwargs)

        async def asynchronous_steps(*args: Any, **kwargs: Any) -> Any:
            yield work(*args, **kwargs)

        body = dict(zip(KINDS, (work, waits, steps, asynchronous_steps), strict=True))[kind]
        with in_use(make()):
            runtime.set(content_on_spans=True, content_on_events=True)
            if fails:
                with pytest.raises(KeyError, match="own"):
                    drain(ao.agent(body)(1, "x", c=1.0))
            else:
                assert drain(ao.agent(body)(1, "x", c=1.0)) in ("x", ["x"])
            assert not trace.get_current_span().get_span_context().is_valid
        assert calls == [(1, "x")]


_LEFT_OPEN = """
import os
import signal
import threading

import agentops_otel as ao

@ao.tool
def steps():
    yield 1
    yield 2

@ao.agent
def work():
    kept.append(steps())
    next(kept[0])
    for _ in steps():
        break
    assert ao.flush(10)
    {end}

kept = []
ao.configure()
with ao.session("s"):
    work()
"""


class TestInAProgram:
    @pytest.mark.parametrize(
        ("end", "reason", "returncode"),
        [
            ("raise SystemExit(3)", "process_exit", 3),
            ("os.kill(os.getpid(), signal.SIGTERM); threading.Event().wait()", "signal", -signal.SIGTERM),
        ],
    )
    def test_every_span_arrives_once_and_ended(
        self, receiver: Receiver, end: str, reason: str, returncode: int
    ) -> None:
        ended = programs.run(["-c", _LEFT_OPEN.format(end=end)], receiver.environment())
        assert (ended.returncode, ended.stderr) == (returncode, "")
        [root] = receiver.sessions()
        assert sorted(span.name for span in receiver.spans) == [
            "execute_tool steps",
            "execute_tool steps",
            "invoke_agent work",
            "session s",
        ]
        assert len({span.span_id for span in receiver.spans}) == 4
        reasons = sorted(span.attributes["agentops.session.end_reason"] for span in receiver.spans)
        assert reasons == sorted([reason, reason, reason, "cancelled"])
        assert root.attributes["agentops.session.tool.calls"] == 2

    def test_without_an_sdk_nothing_of_it_is_imported(self) -> None:
        code = "import sys, agentops_otel as ao; print(ao.tool(len)('ab'), 'opentelemetry.sdk.trace' in sys.modules)"
        assert programs.run(["-c", code]).stdout == "2 False\n"

    def test_one_frame_is_added_to_tracebacks(self, spans: Spans) -> None:
        def fails() -> None:
            raise ValueError

        with pytest.raises(ValueError) as caught:
            ao.tool(fails)()
        frames = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename != __file__]
        assert len(frames) == 1
