"""Public use, for type checkers only: never run."""

from __future__ import annotations

import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
)
from typing import Any, overload

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from typing_extensions import assert_type

import agentops_otel as ao
from agentops_otel import EndReason, EndState, Session, SessionSpanProcessor

# -- blocks --

with ao.session("research") as s:
    assert_type(s, Session)

with ao.session() as s:
    assert_type(s, Session)

with ao.session(
    "research",
    id="i",
    conversation_id="c",
    user_id="u",
    tags=["a"],
    attributes={"s": "s", "i": 1, "f": 1.5, "b": True, "l": ["a"]},
    previous_id="p",
    idle_timeout=1,
    max_duration=2.5,
) as s:
    assert_type(s, Session)

with ao.session(tags={"a", "b"}), ao.session(tags=("a",)), ao.session(tags=(tag for tag in "ab")):
    pass


async def asynchronous() -> None:
    async with ao.session("research") as s:
        assert_type(s, Session)
    async with ao.start_session() as started:
        assert_type(started, Session)
    async with started.attach() as attached:
        assert_type(attached, Session)
    async with ao.join_session({"traceparent": "t", "baggage": "b"}) as joined:
        assert_type(joined, Session | None)


def returns_from_a_block() -> int:
    with ao.session():
        return 1  # a session swallows no exception, so nothing is missing after this


def returns_from_an_attached_block(session: Session) -> int:
    with session.attach():
        return 1


# -- handles --

session = ao.start_session("chat", id="i", tags=["a"])
assert_type(session, Session)
assert_type(session.id, str)
assert_type(session.name, str | None)
assert_type(session.conversation_id, str | None)
assert_type(session.trace_id, str)
assert_type(session.is_open, bool)
assert_type(session.totals.inference_calls, int)
assert_type(session.totals.tool_calls, int)
assert_type(session.totals.agent_calls, int)
assert_type(session.totals.errors, int)
assert_type(session.totals.input_tokens, int)
assert_type(session.totals.output_tokens, int)
session.set_attribute("k", 1)
session.set_attributes({"k": [1.5]})
session.add_tags()
session.add_tags("a", "b")
session.record_exception(ValueError())
session.record_exception(KeyboardInterrupt())
session.record_score("helpful", 0.9)
session.record_score("helpful", 1, label="pass", explanation="short")
session.record_score("helpful", label="pass")
assert_type(session.carrier(), dict[str, str])
session.end()
session.end("success")
session.end(EndState.ERROR, EndReason.TIMEOUT)
session.end(reason="cancelled", flush=True, timeout=1)
with session as same:
    assert_type(same, Session)
with session.attach() as same:
    assert_type(same, Session)

session.id = "other"  # type: ignore[misc]
session.end(state=1)  # type: ignore[arg-type]
session.end("success", "completed", True)  # type: ignore[call-arg]
session.add_tags(1)  # type: ignore[arg-type]
session.set_attribute("k", object())  # type: ignore[arg-type]
session.record_exception("text")  # type: ignore[arg-type]
session.record_score("helpful", "0.9")  # type: ignore[arg-type]
session.record_score("helpful", 0.9, "pass")  # type: ignore[call-arg]
session.colour  # type: ignore[attr-defined]  # noqa: B018

# -- the module --

assert_type(ao.current_session(), Session | None)
assert_type(ao.open_sessions(), list[Session])
assert_type(ao.end_all_sessions(), int)
assert_type(ao.end_all_sessions("error", EndReason.CANCELLED), int)
assert_type(ao.flush(), bool)
assert_type(ao.flush(1), bool)
with ao.join_session(os.environ) as joined_session:
    assert_type(joined_session, Session | None)
with ao.session(previous_id=session.id), ao.session(previous_id=session.carrier()):
    pass
ao.record_score("id", "helpful", 0.9)
ao.record_score("id", "helpful", label="pass", explanation="short")
ao.record_score("id")  # type: ignore[call-arg]
ao.join_session("traceparent")  # type: ignore[arg-type]
ao.session(previous_id=1)  # type: ignore[call-overload]


class Store:
    def put(self, session_id: str, carrier: Mapping[str, str]) -> None: ...

    def get(self, session_id: str) -> Mapping[str, str] | None: ...


ao.configure(store=Store())
ao.configure(store={})  # type: ignore[arg-type]
ao.configure()
ao.configure("service", tracer_provider=TracerProvider(), signals=False, exit_timeout=1)
processor: SpanProcessor = SessionSpanProcessor()
TracerProvider().add_span_processor(ao.SessionSpanProcessor())
state: str = EndState.SUCCESS
reason: str = EndReason.COMPLETED

ao.start_session(1)  # type: ignore[arg-type]
ao.start_session("name", "id")  # type: ignore[call-arg]
ao.start_session(colour="red")  # type: ignore[call-arg]
ao.session(1)  # type: ignore[call-overload]
ao.session("name", "id")  # type: ignore[call-overload]
ao.session(tags=[1])  # type: ignore[list-item]
ao.session(attributes={"k": object()})  # type: ignore[dict-item]
ao.session(idle_timeout="5")  # type: ignore[call-overload]
ao.flush("5")  # type: ignore[arg-type]
ao.configure(signals="true")  # type: ignore[arg-type]
ao.sesion()  # type: ignore[attr-defined]

# -- decorators: a function keeps its type --


@ao.session
def bare(a: int, *, b: str = "b") -> float:
    return 1.0


@ao.session()
def empty(a: int, *, b: str = "b") -> float:
    return 1.0


@ao.session("named", tags=["a"])
def named(a: int, *, b: str = "b") -> float:
    return 1.0


@ao.session
async def coroutine(a: int) -> str:
    return ""


@ao.session("named")
async def named_coroutine(a: int) -> str:
    return ""


@ao.session
def generator(a: int) -> Generator[int, str, bytes]:
    got = yield a
    return got.encode()


@ao.session("named")
def iterator(a: int) -> Iterator[int]:
    yield a


@ao.session
async def async_generator(a: int) -> AsyncGenerator[int, str]:
    got = yield a
    assert_type(got, str)


@ao.session("named")
async def async_iterator(a: int) -> AsyncIterator[int]:
    yield a


assert_type(bare(1), float)
assert_type(bare(1, b="c"), float)
assert_type(empty(1), float)
assert_type(named(1), float)
waiting = assert_type(coroutine(1), Coroutine[Any, Any, str])
waiting = assert_type(named_coroutine(1), Coroutine[Any, Any, str])
assert_type(generator(1), Generator[int, str, bytes])
assert_type(iterator(1), Iterator[int])
assert_type(async_generator(1), AsyncGenerator[int, str])
assert_type(async_iterator(1), AsyncIterator[int])
plain: Callable[[int], float] = bare
waits: Callable[[int], Awaitable[str]] = coroutine

bare("1")  # type: ignore[arg-type]
named()  # type: ignore[call-arg]
empty(1, c=2)  # type: ignore[call-arg]
waiting = coroutine("1")  # type: ignore[arg-type]
generator()  # type: ignore[call-arg]
async_iterator("1")  # type: ignore[arg-type]


class Agent:
    @ao.session
    def method(self, a: int) -> str:
        return ""

    @classmethod
    @ao.session("named")
    def of_the_class(cls, a: int) -> str:
        return ""

    @staticmethod
    @ao.session
    def static(a: int) -> str:
        return ""

    @ao.session
    async def coroutine(self) -> str:
        return ""


async def methods() -> None:
    assert_type(Agent().method(1), str)
    assert_type(Agent.of_the_class(1), str)
    assert_type(Agent.static(1), str)
    assert_type(await Agent().coroutine(), str)
    Agent().method()  # type: ignore[call-arg]


# -- operations: functions and classes keep their types --


@ao.agent
def agent(a: int, *, b: str = "b") -> float:
    return 1.0


@ao.agent("named", version="1", attributes={"k": 1})
async def named_agent(a: int) -> str:
    return ""


@ao.workflow()
def workflow(a: int) -> Generator[int, str, bytes]:
    got = yield a
    return got.encode()


@ao.task(name="named")
async def task(a: int) -> AsyncIterator[int]:
    yield a


@ao.tool
@ao.session("both")
def several(a: int) -> float:
    return 1.0


@overload
def overloaded(a: int) -> int: ...
@overload
def overloaded(a: str) -> str: ...
@ao.guardrail
def overloaded(a: Any) -> Any:
    return a


@ao.agent(attributes={"k": "v"})
class Researcher:
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, question: str) -> list[str]:
        return [question]

    @ao.tool
    def search(self, question: str) -> int:
        return 1

    @ao.tool("named")
    @classmethod
    def of_the_class(cls, a: int) -> str:
        return ""

    @classmethod
    @ao.task
    def of_the_class_below(cls, a: int) -> str:
        return ""

    @ao.guardrail
    @staticmethod
    def static(a: int) -> str:
        return ""


@ao.tool
class Toolbox:
    def __call__(self, a: int) -> str:
        return ""


class Special(Researcher):
    def run(self, question: str) -> list[str]:
        return super().run(question)


assert_type(agent(1, b="c"), float)
assert_type(workflow(1), Generator[int, str, bytes])
assert_type(task(1), AsyncIterator[int])
assert_type(several(1), float)
assert_type(overloaded(1), int)
assert_type(overloaded("a"), str)
researcher = assert_type(Researcher("a"), Researcher)
assert_type(researcher.run("q"), list[str])
assert_type(researcher.search("q"), int)
assert_type(Researcher.of_the_class(1), str)
assert_type(Researcher.of_the_class_below(1), str)
assert_type(Researcher.static(1), str)
assert_type(Special("a").name, str)
assert_type(Toolbox()(1), str)
assert_type(ao.tool(Toolbox())(1), str)


async def operations() -> None:
    assert_type(await named_agent(1), str)


agent("1")  # type: ignore[arg-type]
agent(1, c=2)  # type: ignore[call-arg]
several()  # type: ignore[call-arg]
Researcher()  # type: ignore[call-arg]
Researcher("a").search(1)  # type: ignore[arg-type]
Researcher.static("1")  # type: ignore[arg-type]
ao.agent(1)  # type: ignore[call-overload]
ao.tool(version="1")  # type: ignore[call-overload]
ao.task("name", "attributes")  # type: ignore[call-overload]
ao.workflow(attributes={"k": object()})  # type: ignore[dict-item]
ao.guardrail()(1)  # type: ignore[type-var]
