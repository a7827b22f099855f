"""The handle: what it tells, what can be said through it, and that it never gets in the way."""

from __future__ import annotations

import gc
import weakref
from contextlib import AsyncExitStack, ExitStack

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from support import programs
from support.spans import Spans, attributes, ending, in_use

import agentops_otel as ao
from agentops_otel.sessions.totals import Count


class TestTells:
    def test_what_it_was_started_with(self, spans: Spans) -> None:
        with ao.session("research", id="i", conversation_id="c") as session:
            assert (session.name, session.id, session.conversation_id) == ("research", "i", "c")
        assert (session.name, session.id, session.conversation_id) == ("research", "i", "c")

    def test_none_for_what_it_was_not(self, spans: Spans) -> None:
        with ao.session() as session:
            assert session.name is None
            assert session.conversation_id is None

    def test_its_trace_id_in_hex_before_and_after_the_end(self, spans: Spans) -> None:
        with ao.session() as session:
            trace_id = trace.get_current_span().get_span_context().trace_id
            assert session.trace_id == f"{trace_id:032x}"
        assert session.trace_id == f"{trace_id:032x}"

    def test_whether_it_is_open(self, spans: Spans) -> None:
        session = ao.start_session()
        assert session.is_open
        session.end()
        assert not session.is_open

    def test_totals_of_nothing_are_zero(self, spans: Spans) -> None:
        with ao.session() as session:
            assert session.totals == Count()
        assert session.totals == Count()

    def test_totals_while_it_is_open_and_afterwards(self, spans: Spans) -> None:
        with ao.session() as session:
            spans.tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
            assert session.totals.inference_calls == 1
        assert session.totals.inference_calls == 1

    def test_its_name_id_and_state_in_its_repr(self, spans: Spans) -> None:
        with ao.session("research", id="the-id") as session:
            assert repr(session) == "<Session 'research' the-id open>"
        assert repr(session) == "<Session 'research' the-id ended>"

    def test_attributes_cannot_be_assigned(self, spans: Spans) -> None:
        with ao.session() as session:
            for name in ("id", "name", "conversation_id", "trace_id", "is_open", "totals", "colour"):
                with pytest.raises(AttributeError):
                    setattr(session, name, "other")


class TestEquality:
    def test_one_session_is_one_handle(self, spans: Spans) -> None:
        with ao.session() as session:
            assert ao.current_session() is session
            assert ao.open_sessions() == [session]
            assert len({session, ao.current_session()}) == 1

    def test_two_sessions_differ_even_with_one_id(self, spans: Spans) -> None:
        with ao.session(id="same") as first, ao.session(id="same") as second:
            assert first != second

    def test_a_handle_is_nothing_else(self, spans: Spans) -> None:
        with ao.session() as session:
            assert session != session.id
            assert session is not None


class TestSaid:
    def test_attributes_reach_the_root(self, spans: Spans) -> None:
        with ao.session() as session:
            session.set_attribute("one", 1)
            session.set_attributes({"two": 2.0, "list": ["a"]})
            with spans.tracer.start_as_current_span("child"):
                session.set_attribute("from a child", True)
        root = attributes(spans.root())
        assert {name: root[name] for name in ("one", "two", "list", "from a child")} == {
            "one": 1,
            "two": 2.0,
            "list": ("a",),
            "from a child": True,
        }

    def test_tags_are_added_in_order_and_once(self, spans: Spans) -> None:
        with ao.session(tags=["b", "a"]) as session:
            session.add_tags("a", "c")
            session.add_tags()
            session.add_tags("c", "b", "d")
        assert attributes(spans.root())["agentops.tags"] == ("b", "a", "c", "d")

    def test_exceptions_are_recorded_in_order(self, spans: Spans) -> None:
        with ao.session() as session:
            session.record_exception(ValueError("one"))
            session.record_exception(KeyboardInterrupt("two"))
        messages = [(event.attributes or {})["exception.message"] for event in spans.root().events]
        assert messages == ["one", "two"]

    def test_nothing_is_said_after_the_end(self, spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
        session = ao.start_session()
        session.end()
        [root] = spans.roots()
        session.set_attribute("late", 1)
        session.add_tags("late")
        session.record_exception(ValueError("late"))
        session.end("error")
        assert spans.roots() == [root]
        assert not [record for record in caplog.records if record.levelname != "DEBUG"]


class TestEnd:
    def test_twice_is_once(self, spans: Spans) -> None:
        session = ao.start_session()
        session.end("success")
        session.end("error")
        assert ending(spans.root()) == ("success", "completed", "OK")

    def test_inside_its_own_block_is_fine(self, spans: Spans) -> None:
        with ao.session() as session:
            session.end("error")
            assert ao.current_session() is None
        assert ending(spans.root()) == ("error", "completed", "ERROR")

    def test_returns_before_a_batch_is_exported_and_flush_waits_for_it(self) -> None:
        spans = Spans()
        exporter = InMemorySpanExporter()
        spans.provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
        with in_use(spans):
            ao.start_session().end()
            assert exporter.get_finished_spans() == ()
            ao.start_session().end(flush=True, timeout=30)
            assert len(exporter.get_finished_spans()) == 2
        spans.provider.shutdown()

    def test_of_an_ended_session_flushes_too(self) -> None:
        spans = Spans()
        exporter = InMemorySpanExporter()
        spans.provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
        with in_use(spans):
            session = ao.start_session()
            session.end()
            session.end(flush=True, timeout=30)
            assert len(exporter.get_finished_spans()) == 1
        spans.provider.shutdown()

    def test_flush_is_true_when_all_is_exported(self) -> None:
        spans = Spans()
        exporter = InMemorySpanExporter()
        spans.provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
        with in_use(spans):
            ao.start_session().end()
            assert ao.flush(30) is True
            assert len(exporter.get_finished_spans()) == 1
        spans.provider.shutdown()


class TestBlock:
    def test_started_session_ends_with_its_block(self, spans: Spans) -> None:
        with ao.start_session("s") as session:
            assert ao.current_session() is session
        assert ending(spans.root()) == ("success", "completed", "UNSET")

    def test_exit_stacks_end_sessions_in_reverse(self, spans: Spans) -> None:
        with ExitStack() as stack:
            stack.enter_context(ao.session("outer"))
            stack.enter_context(ao.session("inner"))
        assert spans.names() == ["session inner", "session outer"]

    async def _stack(self) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(ao.session("outer"))
            await stack.enter_async_context(ao.start_session("inner"))

    def test_async_exit_stacks_too(self, spans: Spans) -> None:
        import asyncio

        asyncio.run(self._stack())
        assert spans.names() == ["session inner", "session outer"]

    def test_a_scope_can_be_entered_again_and_within_itself(self, spans: Spans) -> None:
        scope = ao.session("again")
        with scope as first, scope as second:
            assert first != second
            assert ao.current_session() is second
        with scope:
            pass
        assert len({attributes(root)["session.id"] for root in spans.roots()}) == 3

    def test_a_scope_with_an_id_starts_sessions_of_this_id(self, spans: Spans) -> None:
        scope = ao.session(id="fixed")
        with scope, scope:
            pass
        assert [attributes(root)["session.id"] for root in spans.roots()] == ["fixed", "fixed"]


class TestMemory:
    def test_an_ended_handle_and_all_it_held_can_be_collected(self, spans: Spans) -> None:
        with ao.session() as session:
            record = weakref.ref(trace.get_current_span())
            handle = weakref.ref(session)
        del session
        spans.all()
        gc.collect()
        assert handle() is None
        assert record() is None


UNSAMPLED: list[Sampler] = [
    ALWAYS_OFF,
    ParentBased(ALWAYS_OFF),
    TraceIdRatioBased(0),
    ParentBased(TraceIdRatioBased(0)),
]


class TestUnsampled:
    @pytest.mark.parametrize("sampler", UNSAMPLED, ids=lambda sampler: sampler.get_description())
    def test_sessions_work_and_write_nothing(self, sampler: Sampler) -> None:
        with in_use(Spans(sampler=sampler)) as spans:
            with ao.session("s", tags=["a"], max_duration=3600) as session:
                assert ao.current_session() is session
                assert session.is_open
                assert int(session.trace_id, 16)
                session.set_attribute("k", 1)
                session.add_tags("b")
                session.record_exception(ValueError())
                with spans.tracer.start_as_current_span("child") as child:
                    assert not child.is_recording()
                    assert f"{child.get_span_context().trace_id:032x}" == session.trace_id
                    assert ao.current_session() is session
            assert not session.is_open
            assert session.totals == Count()
            assert spans.all() == []

    def test_children_follow_a_root_that_is_not_sampled(self) -> None:
        with in_use(Spans(sampler=ParentBased(ALWAYS_OFF, local_parent_sampled=ALWAYS_ON))) as spans:
            with ao.session():
                spans.tracer.start_span("child").end()
            assert spans.all() == []

    def test_a_ratio_keeps_or_drops_whole_sessions(self) -> None:
        with in_use(Spans(sampler=ParentBased(TraceIdRatioBased(0.5)))) as spans:
            for _ in range(200):
                with ao.session():
                    spans.tracer.start_span("child").end()
            kept = [attributes(root)["session.id"] for root in spans.roots()]
            assert 0 < len(kept) < 200
            assert [attributes(span)["session.id"] for span in spans.all() if span.parent is not None] == kept

    def test_an_exception_passes(self) -> None:
        with in_use(Spans(sampler=ALWAYS_OFF)), pytest.raises(ValueError, match="mine"), ao.session():
            raise ValueError("mine")


WITHOUT_SDK = """
import asyncio, gc, sys, threading
import agentops_otel as ao
from opentelemetry import trace

@ao.session
def function(): return ao.current_session()
@ao.session("named")
async def coroutine(): return ao.current_session()
@ao.session
def generator(): yield ao.current_session()

with ao.session("s", id="i", conversation_id="c", user_id="u", tags=["t"], attributes={"k": 1}, idle_timeout=1) as s:
    s.set_attribute("k", 1); s.set_attributes({"k": 1}); s.add_tags("a"); s.record_exception(ValueError())
    assert (s.id, s.name, s.conversation_id) == ("i", "s", "c")
    assert s.trace_id == "0" * 32
    assert not s.is_open
    assert s.totals.inference_calls == 0
    assert ao.current_session() is None and ao.open_sessions() == []
    assert not trace.get_current_span().get_span_context().is_valid
    with s.attach() as attached: assert attached is s
    "%r" % s
try:
    with ao.session(): raise ValueError("mine")
except ValueError as error: assert str(error) == "mine"
started = ao.start_session()
started.end("error", flush=True)
assert len(started.id) == 32
ao.start_session()
gc.collect()
assert function() is None and asyncio.run(coroutine()) is None and list(generator()) == [None]
assert ao.end_all_sessions() == 0
assert ao.flush() is True
assert ao.flush(0) in (True, False)
assert threading.active_count() == 1
print("sdk" if "opentelemetry.sdk.trace" in sys.modules else "no sdk")
"""


class TestWithoutSdk:
    def test_everything_is_a_no_op(self) -> None:
        outcome = programs.run(["-W", "error", "-c", WITHOUT_SDK])
        assert (outcome.returncode, outcome.stderr) == (0, "")

    def test_the_sdk_is_not_even_imported(self) -> None:
        assert programs.run(["-c", WITHOUT_SDK]).stdout == "no sdk\n"

    def test_a_provider_that_is_set_later_gets_the_sessions_from_then_on(self) -> None:
        outcome = programs.run(
            [
                "-c",
                """
import agentops_otel as ao
from opentelemetry import trace
with ao.session("before"): pass
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
provider, exporter = TracerProvider(), InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with ao.session("after"): trace.get_tracer("t").start_span("child").end()
print([span.name for span in exporter.get_finished_spans()])
""",
            ]
        )
        assert (outcome.stdout, outcome.stderr) == ("['child', 'session after']\n", "")


def test_each_of_two_providers_gets_its_own_sessions(spans: Spans) -> None:
    with in_use(Spans()) as other:
        with ao.session("there"):
            pass
        assert other.names() == ["session there"]
    assert spans.names() == []


def test_a_provider_without_exporters_is_fine() -> None:
    spans = Spans()
    spans.provider = TracerProvider(shutdown_on_exit=False)
    with in_use(spans), ao.session() as session:
        assert session.is_open
