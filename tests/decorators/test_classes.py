"""Whole classes as agents, workflows, tools, tasks and guardrails."""

from __future__ import annotations

import abc
import asyncio
import contextvars
import dataclasses
import enum
import functools
import gc
import inspect
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from support.spans import Spans, attributes, context_of, in_use

import agentops_otel as ao
from agentops_otel.decorators.operation import Call
from agentops_otel.runtime import runtime


@ao.agent("Researcher", version="2")
class Agent:
    colour = "red"

    def __init__(self, name: str = "a") -> None:
        self.name = name

    def __call__(self, number: int) -> int:
        return number

    def __len__(self) -> int:
        return 1

    def _hidden(self) -> str:
        return self.name

    @property
    def computed(self) -> str:
        return self.name

    @functools.cached_property
    def cached(self) -> str:
        return self.name

    def run(self) -> str:
        return self.step() + self._hidden()

    def step(self) -> str:
        return self.name

    def other(self, other: Agent) -> str:
        return other.run()

    async def waits(self) -> str:
        await asyncio.sleep(0)
        return self.step()

    def steps(self) -> Iterator[str]:
        yield self.step()
        yield self.step()

    async def asynchronous_steps(self) -> AsyncIterator[str]:
        yield self.step()
        yield await self.waits()

    @classmethod
    def made(cls, name: str) -> Agent:
        return cls(cls.static(name))

    @staticmethod
    def static(name: str) -> str:
        return name

    @ao.tool
    def search(self, question: str) -> str:
        return self.step() + question


class Special(Agent):
    def step(self) -> str:
        return "special " + super().step()

    def plain(self) -> str:
        return "plain"


def test_the_class_itself_is_given_back() -> None:
    class Own:
        def run(self) -> None:
            pass

    for make in (ao.agent, ao.workflow, ao.task, ao.tool, ao.guardrail):
        assert make(Own) is Own
        assert make("n")(Own) is Own
    assert inspect.isclass(Agent)
    assert isinstance(Special(), Agent)
    assert list(inspect.signature(Agent).parameters) == ["name"]


def test_objects_can_be_pickled(spans: Spans) -> None:
    again = pickle.loads(pickle.dumps(Special("p")))
    assert type(again) is Special
    assert again.step() == "special p"


class TestAgents:
    def test_are_named_after_the_class_or_as_they_are_told(self, spans: Spans) -> None:
        @ao.workflow
        class Own:
            def run(self) -> None:
                pass

        Own().run()
        Agent().run()
        workflow, agent = spans.all()
        assert (workflow.name, agent.name) == ("invoke_workflow Own", "invoke_agent Researcher")
        assert attributes(agent)["gen_ai.agent.version"] == "2"
        assert attributes(agent)["gen_ai.agent.name"] == "Researcher"
        assert attributes(agent)["code.function.name"] == f"{__name__}.Agent.run"

    @pytest.mark.parametrize(
        ("call", "result"),
        [
            (lambda agent: agent(1), 1),
            (lambda agent: agent.run(), "aa"),
            (lambda agent: agent.step(), "a"),
            (lambda agent: Agent.step(agent), "a"),
            (lambda agent: asyncio.run(agent.waits()), "a"),
            (lambda agent: list(agent.steps()), ["a", "a"]),
            (lambda agent: asyncio.run(collect(agent.asynchronous_steps())), ["a", "a"]),
            (lambda agent: agent.made("b").name, "b"),
            (lambda agent: Agent.static("c"), "c"),
        ],
    )
    def test_are_one_span_for_each_call_of_a_public_method(
        self, spans: Spans, call: Callable[[Agent], Any], result: Any
    ) -> None:
        agent = Agent()
        assert spans.all() == []
        assert call(agent) == result
        assert spans.names() == ["invoke_agent Researcher"]

    def test_have_no_span_for_anything_else(self, spans: Spans) -> None:
        agent = Agent()
        assert (len(agent), agent._hidden(), agent.computed, agent.cached, agent.colour) == (1, "a", "a", "a", "red")
        assert spans.all() == []

    def test_methods_with_a_decorator_of_their_own_are_what_it_says(self, spans: Spans) -> None:
        Agent().search("?")
        # The step was called by a tool: from outside of the agent.
        assert spans.names() == ["invoke_agent Researcher", "execute_tool search"]

    def test_methods_wrapped_around_such_a_decorator_too(self, spans: Spans) -> None:
        def retried(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def wrapper(*args: Any) -> Any:
                return function(*args)

            return wrapper

        @ao.agent
        class Own:
            @retried
            @ao.tool
            def search(self) -> int:
                return 1

        assert Own().search() == 1
        assert spans.names() == ["execute_tool search"]

    def test_another_object_is_another_call(self, spans: Spans) -> None:
        Agent("a").other(Agent("b"))
        inner, outer = spans.all()
        assert inner.parent is not None
        assert inner.parent.span_id == context_of(outer).span_id

    def test_an_object_that_another_one_calls_back_is_still_in_its_call(self, spans: Spans) -> None:
        @ao.agent
        class Own:
            def run(self, depth: int, others: list[Own]) -> int:
                return 1 + (others[depth % 2].run(depth - 1, others) if depth else 0)

        pair = [Own(), Own()]
        assert pair[0].run(9, pair) == 10
        assert len(spans.all()) == 2

    def test_equal_objects_are_not_the_same(self, spans: Spans) -> None:
        @ao.agent
        @dataclasses.dataclass
        class Own:
            name: str

            def run(self, other: Own | None) -> None:
                if other is not None:
                    other.run(None)

        Own("same").run(Own("same"))
        assert len(spans.all()) == 2

    def test_a_call_after_the_first_has_ended_is_another_one(self, spans: Spans) -> None:
        agent = Agent()
        contexts: list[contextvars.Context] = []

        @ao.agent
        class Outer:
            def run(self) -> None:
                contexts.append(contextvars.copy_context())

            @staticmethod
            def static() -> None:
                pass

        outer = Outer()
        outer.run()
        for call in (agent.run, outer.run, outer.static):
            contexts[0].run(call)
        assert len(spans.all()) == 4

    def test_tasks_of_a_call_are_in_it_and_threads_are_not(self, spans: Spans) -> None:
        @ao.agent
        class Own:
            async def run(self) -> None:
                await asyncio.gather(asyncio.create_task(self.step()), self.step())
                thread = threading.Thread(target=self.plain)
                thread.start()
                thread.join()

            async def step(self) -> None:
                pass

            def plain(self) -> None:
                pass

        asyncio.run(Own().run())
        assert len(spans.all()) == 2

    def test_concurrent_calls_of_one_object_are_calls_of_their_own(self, spans: Spans) -> None:
        agent = Agent()

        async def main() -> None:
            await asyncio.gather(agent.waits(), agent.waits())

        asyncio.run(main())
        assert len(spans.all()) == 2

    def test_a_suspended_generator_is_no_call_for_who_iterates(self, spans: Spans) -> None:
        agent = Agent()
        steps = agent.steps()
        next(steps)
        agent.step()
        assert list(steps) == ["a"]
        assert len(spans.all()) == 2

    def test_class_methods_and_static_methods_belong_to_the_calls_of_their_objects(self, spans: Spans) -> None:
        @ao.agent
        class Own:
            def run(self) -> int:
                return self.of_the_class() + Own.of_the_class() + self.static() + Own.static()

            @classmethod
            def of_the_class(cls) -> int:
                return cls.static()

            @staticmethod
            def static() -> int:
                return 1

        assert Own().run() == 4
        assert len(spans.all()) == 1

    def test_a_call_by_name_alone(self, spans: Spans) -> None:
        assert Agent.step(self=Agent()) == "a"
        assert len(spans.all()) == 1

    def test_unsampled_calls_are_calls(self) -> None:
        with in_use(Spans(sampler=ALWAYS_OFF)) as spans:
            assert Agent().run() == "aa"
            assert spans.all() == []

    def test_chains_of_tasks_do_not_pile_up(self, spans: Spans) -> None:
        @ao.agent
        class Own:
            async def run(self, more: int) -> None:
                if more:
                    task = asyncio.create_task(Own().run(more - 1))
                    following.add(task)
                    task.add_done_callback(following.discard)
                else:
                    count()
                await asyncio.sleep(0)

        def count() -> None:
            gc.collect()
            alive.append({kind: sum(type(found) is kind for found in gc.get_objects()) for kind in (Call, Own)})

        following: set[asyncio.Task[None]] = set()
        alive: list[dict[type, int]] = []

        async def main() -> None:
            count()  # of the whole process: other tests may have left some
            await Own().run(30)
            while following:
                await asyncio.wait(following)

        asyncio.run(main())
        assert len(spans.all()) == 31
        before, during = alive
        assert during[Call] - before[Call] <= 4
        assert during[Own] - before[Own] <= 4


class TestSubclasses:
    def test_that_override_a_method_are_plain(self, spans: Spans) -> None:
        assert Special().plain() == "plain"
        assert spans.all() == []
        assert Special().step() == "special a"  # the one above has its span
        assert spans.names() == ["invoke_agent Researcher"]

    def test_are_called_by_inherited_methods(self, spans: Spans) -> None:
        assert Special().run() == "special aa"
        assert len(spans.all()) == 1

    def test_decorated_themselves_are_one_call_with_what_they_inherit(self, spans: Spans) -> None:
        @ao.agent
        class Own(Agent):
            def run(self) -> str:
                return super().run() + self.static("!") + self.made("?").name

        assert Own().run() == "aa!?"
        assert spans.names() == ["invoke_agent Own"]


class TestToolsTasksAndGuardrails:
    @pytest.mark.parametrize(
        ("make", "names"),
        [
            (ao.tool, ["execute_tool run", "execute_tool Toolbox", "execute_tool static", "execute_tool of"]),
            (ao.task, ["task Toolbox.run", "task Toolbox", "task Toolbox.static", "task Toolbox.of"]),
            (
                ao.guardrail("g"),
                ["guardrail g.run", "guardrail g", "guardrail g.static", "guardrail g.of"],
            ),
            (ao.tool("g"), ["execute_tool g.run", "execute_tool g", "execute_tool g.static", "execute_tool g.of"]),
        ],
    )
    def test_each_method_is_one(self, spans: Spans, make: Callable[[Any], Any], names: list[str]) -> None:
        class Toolbox:
            def run(self) -> None:
                pass

            def __call__(self) -> None:
                pass

            @staticmethod
            def static() -> None:
                pass

            @classmethod
            def of(cls) -> type:
                return cls

        box = make(Toolbox)()
        box.run()
        box()
        box.static()
        assert box.of() is Toolbox
        assert spans.names() == names

    def test_whoever_calls_it(self, spans: Spans) -> None:
        @ao.tool
        class Toolbox:
            def outer(self) -> None:
                self.inner()

            def inner(self) -> None:
                pass

        Toolbox().outer()
        assert spans.names() == ["execute_tool inner", "execute_tool outer"]


class TestClassesOfEveryKind:
    def test_dataclasses_with_slots_decorated_above_and_below(self, spans: Spans) -> None:
        @ao.agent
        @dataclasses.dataclass(slots=True)
        class Above:
            name: str

            def run(self) -> str:
                return self.step() + self.static()

            def step(self) -> str:
                return self.name

            @staticmethod
            def static() -> str:
                return "!"

        @dataclasses.dataclass(slots=True)
        @ao.agent
        class Below:
            name: str

            def run(self) -> str:
                return self.step() + self.static()

            def step(self) -> str:
                return self.name

            @staticmethod
            def static() -> str:
                return "!"

        assert Above("a").run() == Below("a").run() == "a!"
        assert spans.names() == ["invoke_agent Above", "invoke_agent Below"]

    def test_abstract_classes_stay_abstract(self, spans: Spans) -> None:
        @ao.agent
        class Base(abc.ABC):
            @abc.abstractmethod
            def step(self) -> str: ...

            @classmethod
            @abc.abstractmethod
            def of_the_class(cls) -> str: ...

            def run(self) -> str:
                return self.step()

        class Own(Base):
            def step(self) -> str:
                return "s"

            @classmethod
            def of_the_class(cls) -> str:
                return "c"

        with pytest.raises(TypeError, match="abstract"):
            Base()  # type: ignore[abstract]
        assert Base.__abstractmethods__ == {"step", "of_the_class"}
        assert Base.step.__isabstractmethod__  # type: ignore[attr-defined]
        assert Own().run() == "s"
        assert len(spans.all()) == 1

    def test_enumerations_named_tuples_exceptions_and_metaclasses(self, spans: Spans) -> None:
        @ao.tool
        class Colour(enum.Enum):
            RED = 1

            def shown(self) -> int:
                return int(self.value)

        @ao.tool
        class Pair(NamedTuple):
            a: int

            def sum(self) -> int:
                return self.a

        @ao.tool
        class Failed(Exception):
            def text(self) -> str:
                return str(self)

        class Meta(type):
            def make(cls) -> str:
                return cls.__name__

        @ao.tool
        class Made(metaclass=Meta):
            def run(self) -> int:
                return 1

        assert (Colour.RED.shown(), Pair(2).sum(), Failed("x").text(), Made.make(), Made().run()) == (
            1,
            2,
            "x",
            "Made",
            1,
        )
        assert spans.names() == [f"execute_tool {name}" for name in ("shown", "sum", "text", "run")]

    def test_what_a_metaclass_of_another_module_adds_is_left_alone(self, spans: Spans) -> None:
        def model_post_init(self: object) -> None: ...

        model_post_init.__module__ = "pydantic.main"

        @ao.agent
        class Model:
            post_init = model_post_init

            def run(self) -> int:
                return 1

        Model().post_init()
        assert Model().run() == 1
        assert len(spans.all()) == 1

    def test_nested_classes_and_other_attributes_are_left_alone(self) -> None:
        @ao.agent
        class Own:
            class Inner:
                def run(self) -> None: ...

            size = len
            partial = functools.partialmethod(lambda self: 1)

        assert Own.size is len
        assert not hasattr(Own.Inner.run, "__wrapped__")
        assert Own().partial() == 1

    def test_content_leaves_the_object_out_whatever_it_is_called(self, spans: Spans) -> None:
        @ao.tool
        class Toolbox:
            def method(this, a: int) -> int:
                return a

            @classmethod
            def of_the_class(klass, a: int) -> int:
                return a

            @staticmethod
            def static(self: int) -> int:
                return self

            def anything(*args: Any) -> int:
                return len(args)

        runtime.set(content_on_spans=True)
        box = Toolbox()
        box.method(1)
        box.of_the_class(a=2)
        box.static(3)
        box.anything(4)
        assert [attributes(span)["gen_ai.tool.call.arguments"] for span in spans.all()] == [
            '{"a":1}',
            '{"a":2}',
            '{"self":3}',
            '{"args":[4]}',
        ]


async def collect(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


def test_nothing_is_current_after_it(spans: Spans) -> None:
    Agent().run()
    assert not trace.get_current_span().get_span_context().is_valid
