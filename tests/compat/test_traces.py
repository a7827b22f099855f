"""Traces: started by one call, ended by another, held in between."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from support import programs
from support.otlp import Receiver
from support.spans import Spans, attributes, context_of, ending, in_use

import agentops_otel as ao
import agentops_otel.compat as agentops
from agentops_otel.compat import traces
from agentops_otel.testing.isolation import settle


def test_a_trace_whose_context_is_thrown_away_goes_on_until_it_is_ended(spans: Spans) -> None:
    agentops.start_trace("forgotten")
    gc.collect()
    settle()
    assert spans.all() == []
    agentops.end_trace()
    assert ending(spans.root()) == ("success", "completed", "OK")


def test_a_trace_is_a_session_of_its_name(spans: Spans) -> None:
    context = agentops.start_trace("plan", tags=["a", "b"])
    assert context is not None
    assert ao.current_session() is not None
    assert [context.session] == ao.open_sessions()
    agentops.end_trace(context)
    root = spans.root()
    assert root.name == "session plan"
    assert attributes(root)["agentops.tags"] == ("a", "b")
    assert attributes(root)["code.function.name"].endswith("test_a_trace_is_a_session_of_its_name")


def test_a_trace_without_a_name_is_just_a_session(spans: Spans) -> None:
    agentops.end_trace(agentops.start_trace())
    assert spans.root().name == "session"


def test_tags_by_name_are_attributes(spans: Spans) -> None:
    tags: dict[str, Any] = {"env": "test", "try": 2, "more": {"a": [1, "b"]}, "nothing": None}
    agentops.end_trace(agentops.start_trace("t", tags=tags))
    found = attributes(spans.root())
    assert (found["env"], found["try"], found["more"]) == ("test", 2, '{"a":[1,"b"]}')
    assert "nothing" not in found


@pytest.mark.parametrize("tags", [[1], 7, ["a", None]])
def test_tags_that_make_no_sense_are_refused_by_name(spans: Spans, tags: Any) -> None:
    with pytest.raises(TypeError, match="tags"):
        agentops.start_trace("t", tags=tags)
    assert ao.open_sessions() == []


def test_a_block_that_is_left_is_a_success(spans: Spans) -> None:
    with agentops.start_trace("t") as context:
        assert context.span.is_recording()
    assert not context.span.is_recording()
    assert ending(spans.root()) == ("success", "completed", "OK")


def test_the_span_has_its_ids_also_when_the_trace_is_over(spans: Spans) -> None:
    context = agentops.start_trace("t")
    agentops.end_trace(context)
    assert context.span.get_span_context().trace_id == context_of(spans.root()).trace_id
    assert context.token is None


def test_a_trace_is_ended_once(spans: Spans) -> None:
    context = agentops.start_trace("t")
    agentops.end_trace(context, "Fail")
    agentops.end_trace(context, "Success")
    assert ending(spans.root()) == ("error", "completed", "ERROR")


def test_a_trace_is_ended_in_another_thread(spans: Spans) -> None:
    context = agentops.start_trace("t")
    thread = threading.Thread(target=agentops.end_trace, args=(context,))
    thread.start()
    thread.join()
    assert ending(spans.root())[0] == "success"
    assert ao.current_session() is None


@pytest.mark.parametrize("end", [agentops.end_trace, agentops.end_all_sessions])
@pytest.mark.parametrize("where", ["here", "in a span", "in another thread"])
def test_when_all_traces_have_ended_what_was_current_before_them_is_current(spans: Spans, where: str, end: Any) -> None:
    with spans.tracer.start_as_current_span("request") as request:
        agentops.start_trace("a")
        agentops.start_trace("b")
        if where == "here":
            end()
        elif where == "in a span":
            with spans.tracer.start_as_current_span("step"):
                end()
        else:
            thread = threading.Thread(target=end)
            thread.start()
            thread.join()
        with spans.tracer.start_as_current_span("later"):
            pass
    assert spans.by_name("later").parent == context_of(request)


def test_a_trace_that_ends_in_another_thread_leaves_the_one_around_it_current(spans: Spans) -> None:
    outer, inner = agentops.start_trace("outer"), agentops.start_trace("inner")
    thread = threading.Thread(target=agentops.end_trace, args=(inner,))
    thread.start()
    thread.join()
    with spans.tracer.start_as_current_span("step"):
        pass
    agentops.end_session("Success")
    assert not outer.session.is_open
    assert spans.by_name("step").parent == context_of(spans.by_name("session outer"))


def test_a_trace_that_a_task_of_a_pool_starts_is_not_current_in_the_next(spans: Spans) -> None:
    with agentops.start_trace("first"):
        pass
    with ThreadPoolExecutor(1) as threads, ThreadPool(1) as pool:
        calls: tuple[Callable[[Any], Any], ...] = (lambda work: threads.submit(work).result(), pool.apply)
        for call in calls:
            context = call(agentops.start_trace)
            assert context.session.is_open
            assert call(ao.current_session) is None
            agentops.end_trace(context)


def test_without_a_context_all_traces_end(spans: Spans) -> None:
    for name in ("a", "b", "c"):
        agentops.start_trace(name)
    agentops.end_trace(end_state="Indeterminate")
    assert {(root.name, ending(root)[0]) for root in spans.roots()} == {
        ("session a", "unknown"),
        ("session b", "unknown"),
        ("session c", "unknown"),
    }


def test_what_somebody_else_ended_is_not_held(spans: Spans) -> None:
    first = agentops.start_trace("a")
    ao.end_all_sessions()
    assert agentops.tracer.get_active_traces() == {}
    second = agentops.start_trace("b")
    assert agentops.tracer.get_active_traces() == {second.session.trace_id: second}
    assert agentops.tracer.get_active_trace_count() == 1
    first.end("Success")
    second.end("Success")


def test_what_somebody_else_ended_is_forgotten(spans: Spans) -> None:
    for _ in range(100):
        agentops.start_trace("t").session.end()
    assert len(traces._held) < 20


def test_traces_are_told_apart_also_where_the_id_generator_repeats_itself() -> None:
    class Repeating(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return 1

    with in_use(Spans(id_generator=Repeating())) as spans:
        agentops.start_trace("a")
        agentops.start_trace("b")
        gc.collect()
        settle()
        assert spans.all() == []
        agentops.end_trace()
        assert len(spans.roots()) == 2


@pytest.mark.parametrize("wrong", ["Success", 7, object()])
def test_what_is_no_trace_cannot_be_ended(spans: Spans, wrong: Any) -> None:
    with agentops.start_trace("t") as context:
        with pytest.raises(TypeError, match="trace_context"):
            agentops.end_trace(wrong)
        assert context.session.is_open


def test_a_session_of_older_releases_is_ended_too(spans: Spans) -> None:
    agentops.end_trace(agentops.start_session(), "Fail")  # type: ignore[arg-type]
    assert ending(spans.root())[0] == "error"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_has_none_of_its_parents_and_starts_its_own(receiver: Receiver) -> None:
    outcome = programs.run(["-W", "ignore", "-c", FORKING], receiver.environment())
    assert outcome.returncode == 0, outcome
    assert sorted((root.name, root.attributes["agentops.session.end_state"]) for root in receiver.sessions()) == [
        ("session default", "success"),
        ("session default", "unknown"),
    ]


FORKING = """
import os
import agentops_otel.compat as agentops

first = agentops.init()
pid = os.fork()
if pid == 0:
    assert agentops.tracer.get_active_traces() == {}
    assert agentops.init() is not first
    agentops.end_session("Success")
else:
    assert os.waitpid(pid, 0)[1] == 0
    assert agentops.init() is first
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_ends_its_own_where_that_of_its_parent_is_current(receiver: Receiver) -> None:
    outcome = programs.run(["-W", "ignore", "-c", STARTED_IN_A_TASK], receiver.environment())
    assert outcome.returncode == 0, outcome
    [child, parent] = sorted(receiver.sessions(), key=lambda root: root.name)
    assert (child.name, parent.name) == ("session child", "session default")
    assert child.attributes["agentops.session.end_state"] == "error"
    assert child.attributes["trace.metadata.stage"] == "late"
    assert parent.attributes["agentops.session.end_state"] == "unknown"


STARTED_IN_A_TASK = """
import asyncio, os, sys
import agentops_otel.compat as agentops

async def start():
    agentops.start_trace("child")

agentops.init()
pid = os.fork()
if pid == 0:
    asyncio.run(start())
    assert agentops.update_trace_metadata({"stage": "late"})
    agentops.end_session("Fail")
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_child_that_is_forked_while_a_thread_starts_the_first_session_starts_its_own(receiver: Receiver) -> None:
    outcome = programs.run(["-W", "ignore", "-c", FORKING_MEANWHILE], receiver.environment())
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert sorted((root.name, root.attributes["agentops.session.end_state"]) for root in receiver.sessions()) == [
        ("session child", "success"),
        ("session parent", "unknown"),
    ]


FORKING_MEANWHILE = """
import os, signal, sys, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
import agentops_otel.compat as agentops

class Slow(SpanProcessor):
    def on_start(self, span, parent_context=None):
        if threading.current_thread() is not threading.main_thread():
            is_starting.set()
            assert may_go_on.wait(20)

is_starting, may_go_on = threading.Event(), threading.Event()
agentops.init(auto_start_session=False)
trace.get_tracer_provider().add_span_processor(Slow())
thread = threading.Thread(target=agentops.init, kwargs={"trace_name": "parent", "auto_start_session": True})
thread.start()
assert is_starting.wait(20)
pid = os.fork()
if pid == 0:
    signal.alarm(10)
    agentops.init(trace_name="child")
    agentops.end_session("Success")
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
may_go_on.set()
thread.join()
"""


@pytest.mark.parametrize("call", ["agentops.init", "agentops.start_trace", "agentops_otel.configure"])
def test_threads_that_begin_at_once_set_up_one_provider(receiver: Receiver, call: str) -> None:
    outcome = programs.run(["-c", AT_ONCE.format(call=call)], receiver.environment())
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert len(receiver.sessions()) == {"agentops.init": 1, "agentops.start_trace": 20}.get(call, 0)


AT_ONCE = """
import threading
import agentops_otel
import agentops_otel.compat as agentops

def begin():
    all_there.wait()
    {call}()

all_there = threading.Barrier(20)
threads = [threading.Thread(target=begin) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_tracer_starts_and_ends_them(spans: Spans) -> None:
    assert agentops.tracer.initialized
    assert agentops.tracer.provider is spans.provider
    context = agentops.tracer.start_trace("t")
    with agentops.tracer.get_tracer().start_as_current_span("step"):
        pass
    agentops.tracer.end_trace(context, "Success")
    assert spans.by_name("step").parent is not None
    context = agentops.tracer.start_trace("open")
    agentops.tracer.shutdown()
    assert ending(spans.by_name("session open"))[0] == "unknown"


def test_tasks_have_traces_of_their_own(spans: Spans) -> None:
    async def one(name: str) -> None:
        context = agentops.start_trace(name)
        await asyncio.sleep(0)
        with spans.tracer.start_as_current_span(f"step of {name}"):
            await asyncio.sleep(0)
        agentops.end_trace(context)

    async def both() -> None:
        await asyncio.gather(one("a"), one("b"))

    asyncio.run(both())
    for name in ("a", "b"):
        step, root = spans.by_name(f"step of {name}"), spans.by_name(f"session {name}")
        assert step.parent == context_of(root)


class TestMetadata:
    def test_is_written_on_the_root_of_what_is_current(self, spans: Spans) -> None:
        context = agentops.start_trace("t")
        with spans.tracer.start_as_current_span("step"):
            assert agentops.update_trace_metadata({"stage": "planning", "number": 3, "right": True, "score": 0.5})
        agentops.end_trace(context)
        found = attributes(spans.root())
        assert {key: found[f"trace.metadata.{key}"] for key in ("stage", "number", "right", "score")} == {
            "stage": "planning",
            "number": 3,
            "right": True,
            "score": 0.5,
        }
        assert "trace.metadata.stage" not in attributes(spans.by_name("step"))

    def test_has_the_prefix_that_is_wanted(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            agentops.update_trace_metadata({"a": 1}, prefix="mine")
        assert attributes(spans.root())["mine.a"] == 1

    def test_known_keys_are_the_attributes_that_they_mean(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            agentops.update_trace_metadata(
                {"agent_name": "a", "tool.name": "b", "operation_version": 3, "error_type": "E", "tags": ["x", "y"]}
            )
        found = attributes(spans.root())
        assert (found["agent.name"], found["tool.name"], found["operation.version"]) == ("a", "b", 3)
        assert (found["error.type"], found["agentops.tags"]) == ("E", ("x", "y"))

    def test_one_tag_is_a_list_of_one(self, spans: Spans) -> None:
        with agentops.start_trace("t"):
            agentops.update_trace_metadata({"tags": "vip"})
        assert attributes(spans.root())["agentops.tags"] == ("vip",)

    def test_lists_are_json_and_what_is_no_attribute_is_left_out(
        self, spans: Spans, caplog: pytest.LogCaptureFixture
    ) -> None:
        with agentops.start_trace("t"):
            assert agentops.update_trace_metadata({"list": [1, "b"], "none": None, "mixed": [{}], "object": object()})
        found = attributes(spans.root())
        assert found["trace.metadata.list"] == '[1, "b"]'
        assert [key for key in found if key.startswith("trace.metadata.")] == ["trace.metadata.list"]
        assert ["mixed" in caplog.text, "object" in caplog.text, "none" in caplog.text] == [True, True, False]

    def test_is_of_the_latest_trace_where_none_is_current(self, spans: Spans) -> None:
        agentops.start_trace("a")
        agentops.start_trace("b")
        thread = threading.Thread(target=_in_no_context, args=(lambda: agentops.update_trace_metadata({"k": "v"}),))
        thread.start()
        thread.join()
        agentops.end_trace()
        assert "trace.metadata.k" not in attributes(spans.by_name("session a"))
        assert attributes(spans.by_name("session b"))["trace.metadata.k"] == "v"

    def test_is_refused_where_no_trace_is_open(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        assert agentops.update_trace_metadata({"k": "v"}) is False
        assert "no session is open" in caplog.text

    def test_must_be_a_mapping(self, spans: Spans) -> None:
        with pytest.raises(TypeError, match="metadata"):
            agentops.update_trace_metadata([("k", "v")])  # type: ignore[arg-type]


def _in_no_context(call: Any) -> None:
    from opentelemetry import context

    token = context.attach(context.Context())
    try:
        assert call()
    finally:
        context.detach(token)


def test_spans_of_others_are_children(spans: Spans) -> None:
    with agentops.start_trace("t"):
        with trace.use_span(spans.tracer.start_span("step"), end_on_exit=True):
            pass
    assert spans.by_name("step").parent == context_of(spans.root())
