"""The decorators: what they write under the standard names and the old ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from support.spans import Spans, attributes, context_of, ending

import agentops_otel.compat as agentops
from agentops_otel.runtime import runtime

KINDS = {
    "agent": ("invoke_agent", "agent"),
    "task": ("task", "task"),
    "operation": ("task", "task"),
    "workflow": ("invoke_workflow", "workflow"),
    "tool": ("execute_tool", "tool"),
    "guardrail": ("guardrail", "guardrail"),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_session = pytest.mark.parametrize("kind", ["trace", "session", "track_endpoint"])


@pytest.fixture
def old_names(spans: Spans) -> Spans:
    agentops.init(auto_start_session=False, span_names="agentops")
    return spans


def decorated(kind: str, **said: Any) -> Callable[[str], str]:
    decorate = getattr(agentops, kind)(**said) if said else getattr(agentops, kind)

    @decorate  # type: ignore[untyped-decorator]
    def work(what: str) -> str:
        """Works."""
        return what.upper()

    return work  # type: ignore[no-any-return]


def written(spans: Spans) -> ReadableSpan:
    [span, _] = spans.all()
    return span


@each_kind
def test_a_call_is_a_span_by_the_standard_names(spans: Spans, kind: str) -> None:
    with agentops.start_trace("t"):
        assert decorated(kind)("x") == "X"
    assert written(spans).name == f"{KINDS[kind][0]} work"
    assert written(spans).parent == context_of(spans.root())


@each_kind
def test_a_call_is_a_span_by_the_old_names_beside_the_standard_ones(old_names: Spans, kind: str) -> None:
    runtime.set(content_on_spans=True)
    old = KINDS[kind][1]
    with agentops.start_trace("t"):
        assert decorated(kind, name="n", version=3, tags=["a"])("x") == "X"
    span = written(old_names)
    assert span.name == f"n.{old}"
    found = attributes(span)
    assert (found["agentops.span.kind"], found["operation.name"], found["operation.version"]) == (old, "n", "3")
    assert found["agentops.tags"] == ("a",)
    for name in ("agentops.entity", f"agentops.{old}"):
        assert (found[f"{name}.input"], found[f"{name}.output"]) == ('{"what":"x"}', '"X"')
    if KINDS[kind][0] != "task" and kind != "guardrail":
        assert found["gen_ai.operation.name"] == KINDS[kind][0]


def test_the_names_are_those_that_are_wanted_at_the_time_of_the_call(spans: Spans) -> None:
    work = decorated("task")  # at the top of a module, before init() is called
    agentops.init(auto_start_session=False, span_names="agentops")
    work("x")
    agentops.configure(span_names="standard")
    work("x")
    assert spans.names() == ["work.task", "task work"]


@each_session
def test_a_call_is_a_session(spans: Spans, kind: str) -> None:
    assert decorated(kind, name="n", tags=["a"])("x") == "X"
    root = spans.root()
    assert root.name == "session n"
    assert ending(root) == ("success", "completed", "UNSET")
    assert attributes(root)["agentops.tags"] == ("a",)
    assert attributes(root)["code.function.name"].endswith("work")
    assert "agentops.input" not in attributes(root)


@each_session
def test_a_call_is_a_session_by_the_old_names_beside_the_standard_ones(old_names: Spans, kind: str) -> None:
    runtime.set(content_on_spans=True)
    decorated(kind)("x")
    root = old_names.root()
    assert root.name == "work.session"
    found = attributes(root)
    assert (found["agentops.span.kind"], found["operation.name"]) == ("session", "work")
    assert found["agentops.session.end_state"] == "success"
    assert found["gen_ai.operation.name"] == "session"
    for name in ("agentops", "agentops.entity", "agentops.session"):
        assert (found[f"{name}.input"], found[f"{name}.output"]) == ('{"what":"x"}', '"X"')


def test_sessions_that_are_started_have_the_old_names_too(old_names: Spans) -> None:
    agentops.end_trace(agentops.start_trace("plan", tags=["a"]))
    agentops.start_session()
    agentops.end_session("Fail")
    plan, other = old_names.roots()
    assert (plan.name, other.name) == ("plan.session", "session.session")
    assert attributes(plan)["operation.name"] == "plan"
    assert attributes(plan)["agentops.tags"] == ("a",)
    assert attributes(other)["agentops.session.end_state"] == "error"


def test_the_environment_chooses_the_names(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from agentops_otel.config import Config

    for text, names in [("", "standard"), ("AgentOps", "agentops"), ("standard", "standard"), ("old", "standard")]:
        monkeypatch.setenv("OTEL_PYTHON_AGENTOPS_SPAN_NAMES", text)
        assert Config.from_environment().span_names == names
    [record] = caplog.records
    assert "OTEL_PYTHON_AGENTOPS_SPAN_NAMES" in record.getMessage()


@pytest.mark.parametrize("names", ["standard", "agentops"])
@pytest.mark.parametrize("kind", [*KINDS, "trace", "session", "track_endpoint"])
@pytest.mark.parametrize(
    ("said", "words"), [({"capture_request": False}, ["HELLO"]), ({"capture_response": False}, ["hello"])]
)
@pytest.mark.parametrize("of_class", [False, True])
def test_what_is_not_to_be_captured_is_not_written(
    spans: Spans, kind: str, names: str, said: Any, words: list[str], of_class: bool
) -> None:
    runtime.set(content_on_spans=True, span_names=names)
    with agentops.start_trace("t"):
        if of_class:
            made = getattr(agentops, kind)(**said)(type("Worker", (), {"__module__": __name__, "work": _work}))
            made().work("hello")
        else:
            decorated(kind, **said)("hello")
    text = str([attributes(span) for span in spans.all()])
    assert [word for word in ("hello", "HELLO") if word in text] == words


def _work(self: Any, what: str) -> str:
    return what.upper()


def test_what_only_one_of_them_takes_is_written(spans: Spans) -> None:
    with agentops.start_trace("t"):
        decorated("tool", cost=0.05)("x")
        decorated("guardrail", spec="input")("x")
        decorated("agent", version=2)("x")
        decorated("task", cost=1.0, spec="input", version=2)("x")
    assert attributes(spans.by_name("execute_tool work"))["gen_ai.usage.total_cost"] == 0.05
    assert attributes(spans.by_name("guardrail work"))["agentops.guardrail.spec"] == "input"
    assert attributes(spans.by_name("invoke_agent work"))["gen_ai.agent.version"] == "2"
    assert {"gen_ai.usage.total_cost", "agentops.task.spec"}.isdisjoint(attributes(spans.by_name("task work")))


def test_functions_of_every_kind_can_be_sessions(spans: Spans) -> None:
    runtime.set(content_on_spans=True)

    @agentops.trace
    async def coroutine(n: int) -> int:
        return n

    @agentops.trace
    def generator(n: int) -> Iterator[int]:
        yield n
        yield n + 1

    @agentops.trace
    async def async_generator(n: int) -> AsyncIterator[int]:
        yield n

    class Agent:
        @agentops.trace
        def method(self, n: int) -> int:
            return n

        @agentops.trace
        @classmethod
        def of_class(cls, n: int) -> int:
            return n

        @agentops.trace(name="static")
        @staticmethod
        def of_none(n: int) -> int:
            return n

    async def collect() -> list[int]:
        return [item async for item in async_generator(3)]

    assert asyncio.run(coroutine(1)) == 1
    assert list(generator(2)) == [2, 3]
    assert asyncio.run(collect()) == [3]
    assert [Agent().method(4), Agent.of_class(5), Agent.of_none(6)] == [4, 5, 6]
    assert [(root.name, attributes(root)["agentops.input"]) for root in spans.roots()] == [
        ("session coroutine", '{"n":1}'),
        ("session generator", '{"n":2}'),
        ("session async_generator", '{"n":3}'),
        ("session method", '{"n":4}'),
        ("session of_class", '{"n":5}'),
        ("session static", '{"n":6}'),
    ]
    assert attributes(spans.roots()[1])["agentops.output"] == "[2,3]"


def test_a_function_keeps_what_it_is() -> None:
    for kind in (*KINDS, "trace"):
        work = decorated(kind)
        assert (work.__name__, work.__doc__) == ("work", "Works.")


@pytest.mark.parametrize("kind", [*KINDS, "trace"])
def test_what_is_no_function_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="decorates a function or a class"):
        getattr(agentops, kind)(7)


def test_tags_of_a_wrong_type_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="tags"):
        decorated("agent", tags=[1])
    with pytest.raises(TypeError, match="tags"):
        decorated("trace", tags=[1])


def test_the_table_of_the_docs_has_every_name(old_names: Spans) -> None:
    text = (Path(__file__).parents[2] / "docs" / "agentops-names.md").read_text(encoding="utf-8")
    runtime.set(content_on_spans=True)
    agentops.init(tags=["a"], auto_start_session=False)
    with agentops.start_trace("t"):
        for kind in KINDS:
            decorated(kind, name="name", version="1", cost=1.0, spec="input")("x")
            assert f"`{{name}}.{KINDS[kind][1]}`" in text
            assert f"`{KINDS[kind][0]} {{name}}`" in text
    written = {name for span in old_names.all() for name in attributes(span)}
    not_old = ("code.", "session.id", "agentops.session.", "gen_ai.tool.type")
    for name in written:
        for kind in ("agent", "task", "workflow", "tool", "guardrail"):
            if name != "agentops.guardrail.spec":
                name = name.replace(f"agentops.{kind}.", "agentops.{kind}.")
        assert name.startswith(not_old) or f"`{name}`" in text, name
