"""Every name that is written, and what stands on the root span of a session and on its children."""

from __future__ import annotations

import asyncio
import builtins
import functools
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from support.spans import Spans, attributes, context_of, ending

import agentops_otel as ao
from agentops_otel import semconv

NAMES: dict[str, Any] = {
    "SCOPE": "agentops_otel",
    "SESSION_ID": "session.id",
    "SESSION_PREVIOUS_ID": "session.previous_id",
    "USER_ID": "user.id",
    "GEN_AI_CONVERSATION_ID": "gen_ai.conversation.id",
    "GEN_AI_OPERATION_NAME": "gen_ai.operation.name",
    "GEN_AI_PROVIDER_NAME": "gen_ai.provider.name",
    "GEN_AI_REQUEST_MODEL": "gen_ai.request.model",
    "GEN_AI_RESPONSE_MODEL": "gen_ai.response.model",
    "GEN_AI_USAGE_INPUT_TOKENS": "gen_ai.usage.input_tokens",
    "GEN_AI_USAGE_OUTPUT_TOKENS": "gen_ai.usage.output_tokens",
    "GEN_AI_AGENT_NAME": "gen_ai.agent.name",
    "GEN_AI_TOOL_NAME": "gen_ai.tool.name",
    "GEN_AI_TOOL_TYPE": "gen_ai.tool.type",
    "GEN_AI_TOOL_CALL_ARGUMENTS": "gen_ai.tool.call.arguments",
    "GEN_AI_TOOL_CALL_RESULT": "gen_ai.tool.call.result",
    "GEN_AI_TOOL_CALL_ID": "gen_ai.tool.call.id",
    "GEN_AI_EVALUATION_NAME": "gen_ai.evaluation.name",
    "GEN_AI_EVALUATION_SCORE_VALUE": "gen_ai.evaluation.score.value",
    "GEN_AI_EVALUATION_SCORE_LABEL": "gen_ai.evaluation.score.label",
    "GEN_AI_EVALUATION_EXPLANATION": "gen_ai.evaluation.explanation",
    "CODE_FILE_PATH": "code.file.path",
    "CODE_LINE_NUMBER": "code.line.number",
    "CODE_FUNCTION_NAME": "code.function.name",
    "ERROR_TYPE": "error.type",
    "EXCEPTION_TYPE": "exception.type",
    "EXCEPTION_MESSAGE": "exception.message",
    "EXCEPTION_STACKTRACE": "exception.stacktrace",
    "ERROR_TYPE_OTHER": "_OTHER",
    "GEN_AI_AGENT_VERSION": "gen_ai.agent.version",
    "GEN_AI_WORKFLOW_NAME": "gen_ai.workflow.name",
    "GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS": "gen_ai.usage.cache_read.input_tokens",
    "GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS": "gen_ai.usage.cache_creation.input_tokens",
    "GEN_AI_USAGE_REASONING_OUTPUT_TOKENS": "gen_ai.usage.reasoning.output_tokens",
    "INFERENCE_OPERATIONS": {"chat", "generate_content", "text_completion"},
    "EMBEDDING_OPERATION": "embeddings",
    "TOOL_OPERATION": "execute_tool",
    "AGENT_OPERATION": "invoke_agent",
    "WORKFLOW_OPERATION": "invoke_workflow",
    "TOOL_TYPE_FUNCTION": "function",
    "EVENT_SESSION_START": "session.start",
    "EVENT_SESSION_END": "session.end",
    "EVENT_EXCEPTION": "exception",
    "EVENT_EVALUATION_RESULT": "gen_ai.evaluation.result",
    "SESSION_OPERATION": "session",
    "TAGS": "agentops.tags",
    "END_STATE": "agentops.session.end_state",
    "END_REASON": "agentops.session.end_reason",
    "EXIT_SIGNAL": "agentops.session.exit.signal",
    "EXIT_CODE": "agentops.session.exit.code",
    "DURATION": "agentops.session.duration",
    "INFERENCE_CALLS": "agentops.session.inference.calls",
    "TOOL_CALLS": "agentops.session.tool.calls",
    "AGENT_CALLS": "agentops.session.agent.calls",
    "ERRORS": "agentops.session.errors",
    "USAGE_INPUT_TOKENS": "agentops.session.usage.input_tokens",
    "USAGE_OUTPUT_TOKENS": "agentops.session.usage.output_tokens",
    "EMBEDDING_CALLS": "agentops.session.embedding.calls",
    "USAGE_CACHE_READ_INPUT_TOKENS": "agentops.session.usage.cache_read.input_tokens",
    "USAGE_CACHE_CREATION_INPUT_TOKENS": "agentops.session.usage.cache_creation.input_tokens",
    "USAGE_REASONING_OUTPUT_TOKENS": "agentops.session.usage.reasoning.output_tokens",
    "COST": "agentops.session.cost",
    "UNPRICED_CALLS": "agentops.session.unpriced_calls",
    "MODELS": "agentops.session.models",
    "MODEL_CALLS": "agentops.session.models.calls",
    "MODEL_INPUT_TOKENS": "agentops.session.models.usage.input_tokens",
    "MODEL_OUTPUT_TOKENS": "agentops.session.models.usage.output_tokens",
    "MODEL_COSTS": "agentops.session.models.cost",
    "MODEL_OTHER": "_OTHER",
    "SPAN_KIND": "agentops.span.kind",
    "INPUT": "agentops.input",
    "OUTPUT": "agentops.output",
    "EVENT_OPERATION_DETAILS": "agentops.operation.details",
    "METRIC_ACTIVE": "agentops.session.active",
    "METRIC_DURATION": "agentops.session.duration",
    "METRIC_ENDED": "agentops.session.ended",
    "METRIC_LOST": "agentops.spans.lost",
    "LOST_REASON": "agentops.lost.reason",
    "OLD_INPUT_TOKENS": ("gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "OLD_OUTPUT_TOKENS": ("gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "OLD_CACHE_READ_INPUT_TOKENS": ("llm.token_count.prompt_details.cache_read",),
    "OLD_CACHE_CREATION_INPUT_TOKENS": (
        "gen_ai.usage.cache_write.input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "OLD_REASONING_OUTPUT_TOKENS": (
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "OLD_MODEL": ("llm.model_name", "embedding.model_name"),
    "OLD_PROVIDER": ("gen_ai.system", "llm.provider", "llm.system"),
    "OPENINFERENCE_KIND": "openinference.span.kind",
}
"""The contract with whoever reads what is written: a change here breaks their queries."""


def test_every_name_is_pinned() -> None:
    assert {name: getattr(semconv, name) for name in dir(semconv) if name.isupper()} == NAMES


def test_end_states_and_reasons_are_pinned() -> None:
    assert [state.value for state in ao.EndState] == ["success", "error", "unknown"]
    assert [reason.value for reason in ao.EndReason] == [
        "completed",
        "exception",
        "cancelled",
        "signal",
        "garbage_collected",
        "process_exit",
        "provider_shutdown",
        "process_lost",
        "timeout",
    ]


class TestRootSpan:
    def test_has_these_attributes_and_no_others(self, spans: Spans) -> None:
        with ao.session("research"):
            pass
        assert attributes(spans.root()).keys() == {
            "session.id",
            "gen_ai.operation.name",
            "agentops.session.end_state",
            "agentops.session.end_reason",
            "code.file.path",
            "code.line.number",
            "code.function.name",
        }

    def test_carries_what_was_passed_in(self, spans: Spans) -> None:
        with ao.session(
            "research",
            id="the id",
            conversation_id="the conversation",
            user_id="the user",
            tags=["a", "b"],
            attributes={"k": 1},
            previous_id="the one before",
        ) as session:
            pass
        root = attributes(spans.root())
        assert session.id == root["session.id"] == "the id"
        assert root["gen_ai.operation.name"] == "session"
        assert root["gen_ai.conversation.id"] == "the conversation"
        assert root["user.id"] == "the user"
        assert root["session.previous_id"] == "the one before"
        assert root["agentops.tags"] == ("a", "b")
        assert root["k"] == 1

    @pytest.mark.parametrize(
        ("name", "span_name"), [("research", "session research"), ("ü 👋", "session ü 👋"), (None, "session")]
    )
    def test_is_named_after_the_session(self, spans: Spans, name: str | None, span_name: str) -> None:
        with ao.session(name):
            pass
        assert spans.root().name == span_name

    def test_is_internal_and_of_our_scope(self, spans: Spans) -> None:
        with ao.session():
            pass
        root = spans.root()
        assert root.kind is SpanKind.INTERNAL
        assert root.instrumentation_scope is not None
        assert (root.instrumentation_scope.name, root.instrumentation_scope.version) == (
            "agentops_otel",
            ao.__version__,
        )

    def test_ids_are_random_and_only_the_session_id_is_invented(self, spans: Spans) -> None:
        with ao.session(), ao.session():
            pass
        first, second = (attributes(root) for root in spans.roots())
        assert first["session.id"] != second["session.id"]
        assert len(first["session.id"]) == 32
        assert "gen_ai.conversation.id" not in first
        assert "user.id" not in first

    def test_what_the_user_sets_cannot_hide_the_ids(self, spans: Spans) -> None:
        with ao.session(id="right", user_id="right", attributes={"session.id": "wrong", "user.id": "wrong"}):
            pass
        root = attributes(spans.root())
        assert (root["session.id"], root["user.id"]) == ("right", "right")


def here() -> int:
    """The line it is called in."""
    frame = sys._getframe(1)
    return frame.f_lineno


class TestStartedWhere:
    """``code.*`` is the user's line, not one of the package."""

    def check(self, root: ReadableSpan, line: int, function: str) -> None:
        said = attributes(root)
        assert said["code.file.path"] == __file__
        assert said["code.line.number"] == line
        prefix, _, name = said["code.function.name"].rpartition(".")
        assert name == function
        # Python 3.10 does not know the class.
        assert prefix.startswith(__name__)

    def test_with(self, spans: Spans) -> None:
        with ao.session():
            line = here() - 1
        self.check(spans.root(), line, "test_with")

    def test_the_with_not_the_making_of_the_scope(self, spans: Spans) -> None:
        scope = ao.session()
        with scope:
            line = here() - 1
        self.check(spans.root(), line, "test_the_with_not_the_making_of_the_scope")

    def test_start_session(self, spans: Spans) -> None:
        session, line = ao.start_session(), here()
        session.end()
        self.check(spans.root(), line, "test_start_session")

    def test_async_with(self, spans: Spans) -> None:
        async def main() -> int:
            async with ao.session():
                return here() - 1

        line = asyncio.run(main())
        self.check(spans.root(), line, "main")

    @pytest.mark.parametrize("decorate", [ao.session, ao.session("named"), ao.session()])
    def test_decorated_function_is_where_it_stands(self, spans: Spans, decorate: Any) -> None:
        def work() -> None:
            pass

        work.__qualname__ = "outer.<locals>.work"
        decorate(work)()
        said = attributes(spans.root())
        assert said["code.file.path"] == __file__
        assert said["code.line.number"] == work.__code__.co_firstlineno
        assert said["code.function.name"] == f"{__name__}.outer.<locals>.work"

    def test_decorated_coroutine_and_generators_too(self, spans: Spans) -> None:
        @ao.session
        async def coroutine() -> None:
            pass

        @ao.session
        def generator() -> Iterator[None]:
            yield

        @ao.session
        async def async_generator() -> Any:
            yield

        async def consume() -> None:
            async for _ in async_generator():
                pass

        asyncio.run(coroutine())
        list(generator())
        asyncio.run(consume())
        for function, root in zip((coroutine, generator, async_generator), spans.roots(), strict=True):
            self.check(root, inspect.unwrap(function).__code__.co_firstlineno, function.__name__)

    def test_exit_stack_and_other_libraries_name_their_caller_line(self, spans: Spans) -> None:
        @contextmanager
        def mine() -> Iterator[None]:
            with ao.session():
                yield

        with mine():
            pass
        self.check(spans.root(), inspect.unwrap(mine).__code__.co_firstlineno + 2, "mine")


class TestTrace:
    def test_a_session_is_a_true_root_and_links_to_the_span_that_was_current(self, spans: Spans) -> None:
        with spans.tracer.start_as_current_span("request") as request:
            with ao.session():
                pass
        root = spans.root()
        assert root.parent is None
        assert context_of(root).trace_id != context_of(request).trace_id
        assert [link.context for link in root.links] == [context_of(request)]

    def test_a_remote_span_that_was_current_is_linked(self, spans: Spans) -> None:
        remote = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1))
        token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(remote)))
        try:
            with ao.session():
                pass
        finally:
            context.detach(token)
        root = spans.root()
        assert root.parent is None
        assert [link.context for link in root.links] == [remote]

    def test_without_a_span_there_is_no_link(self, spans: Spans) -> None:
        with ao.session():
            pass
        assert spans.root().links == ()

    def test_a_nested_session_links_to_the_outer_one(self, spans: Spans) -> None:
        with ao.session("outer") as outer, ao.session("inner") as inner:
            pass
        root = spans.by_name("session inner")
        assert inner.trace_id != outer.trace_id
        assert root.parent is None
        assert [link.context for link in root.links] == [context_of(spans.by_name("session outer"))]

    def test_a_session_that_is_over_is_not_linked(self, spans: Spans) -> None:
        session = ao.start_session("first")
        kept = context.get_current()
        session.end()
        token = context.attach(kept)
        try:
            with ao.session("second"):
                pass
        finally:
            context.detach(token)
        assert spans.by_name("session second").links == ()

    def test_the_rest_of_the_context_stays(self, spans: Spans) -> None:
        token = context.attach(baggage.set_baggage("k", "v"))
        try:
            with ao.session():
                assert baggage.get_baggage("k") == "v"
        finally:
            context.detach(token)

    def test_trace_id_is_that_of_the_root(self, spans: Spans) -> None:
        with ao.session() as session:
            pass
        assert session.trace_id == format(context_of(spans.root()).trace_id, "032x")


class TestChildren:
    def test_carry_the_ids_of_the_session(self, spans: Spans) -> None:
        with ao.session(id="s", conversation_id="c", user_id="u"):
            with spans.tracer.start_as_current_span("child"), spans.tracer.start_as_current_span("grandchild"):
                pass
        for name in ("child", "grandchild"):
            said = attributes(spans.by_name(name))
            assert said == {"session.id": "s", "gen_ai.conversation.id": "c", "user.id": "u"}

    @pytest.mark.parametrize("name", ["session.id", "gen_ai.conversation.id", "user.id"])
    def test_keep_an_id_of_their_own(self, spans: Spans, name: str) -> None:
        ours = {"session.id": "s", "gen_ai.conversation.id": "c", "user.id": "u"}
        with ao.session(id="s", conversation_id="c", user_id="u"):
            spans.tracer.start_span("child", attributes={name: "own"}).end()
        assert attributes(spans.by_name("child")) == ours | {name: "own"}

    def test_get_no_conversation_that_nobody_named(self, spans: Spans) -> None:
        with ao.session(id="s"):
            spans.tracer.start_span("child").end()
        assert attributes(spans.by_name("child")) == {"session.id": "s"}

    def test_of_the_inner_session_carry_the_inner_ids(self, spans: Spans) -> None:
        with ao.session(id="outer", conversation_id="c"), ao.session(id="inner"):
            spans.tracer.start_span("child").end()
        assert attributes(spans.by_name("child")) == {"session.id": "inner"}

    def test_spans_outside_of_sessions_are_left_alone(self, spans: Spans) -> None:
        spans.tracer.start_span("before").end()
        with ao.session():
            spans.tracer.start_span("elsewhere", context=context.Context()).end()
        spans.tracer.start_span("after").end()
        for name in ("before", "elsewhere", "after"):
            assert attributes(spans.by_name(name)) == {}

    def test_that_outlive_the_session_carry_its_id_and_arrive(self, spans: Spans) -> None:
        with ao.session(id="s"):
            child = spans.tracer.start_span("child")
        with trace.use_span(child, end_on_exit=True):
            spans.tracer.start_span("grandchild").end()
        assert attributes(spans.by_name("grandchild"))["session.id"] == "s"
        assert attributes(spans.by_name("child")) == {"session.id": "s"}

    def test_of_an_abnormal_end_are_ended_deepest_first_with_the_reason(self, spans: Spans) -> None:
        with suppress(KeyboardInterrupt), ao.session():
            child = spans.tracer.start_span("child")
            grandchild = spans.tracer.start_span("grandchild", context=trace.set_span_in_context(child))
            raise KeyboardInterrupt
        assert spans.names() == ["grandchild", "child", "session"]
        for span in (child, grandchild):
            said = attributes(spans.by_name(span.name))  # type: ignore[attr-defined]
            assert said["agentops.session.end_reason"] == "signal"
            assert said["agentops.session.exit.signal"] == "SIGINT"
        assert len({span.end_time for span in spans.all()}) == 1


# -- ends --


class Own(Exception):
    class Inner(Exception):
        pass


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Fatal(BaseException):
    pass


class Keyboard(KeyboardInterrupt):
    pass


OWN = f"{__name__}.Own"
RAISED: list[tuple[BaseException, str]] = [
    (ValueError("bad"), "ValueError"),
    (KeyError("k"), "KeyError"),
    (Own("x"), OWN),
    (Own.Inner("x"), f"{OWN}.Inner"),
    (Silent(), f"{__name__}.Silent"),
    (Fatal("f"), f"{__name__}.Fatal"),
    (TimeoutError(), "TimeoutError"),
    (asyncio.InvalidStateError(), "asyncio.exceptions.InvalidStateError"),
    (RecursionError(), "RecursionError"),
    (MemoryError(), "MemoryError"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "UnicodeDecodeError"),
    (OSError("half of a pair \ud83d"), "OSError"),
]
GROUPS = [getattr(builtins, name) for name in ("ExceptionGroup", "BaseExceptionGroup") if hasattr(builtins, name)]
RAISED += [(group("many", [ValueError("a")]), "ExceptionGroup") for group in GROUPS[:1]]
RAISED += [(group("many", [ValueError("a"), Fatal()]), "BaseExceptionGroup") for group in GROUPS[1:]]


class TestEnd:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ((), ("success", "completed", "UNSET")),
            ((None, None), ("success", "completed", "UNSET")),
            (("success",), ("success", "completed", "OK")),
            ((ao.EndState.SUCCESS,), ("success", "completed", "OK")),
            (("error",), ("error", "completed", "ERROR")),
            (("unknown",), ("unknown", "completed", "UNSET")),
            ((None, "cancelled"), ("success", "cancelled", "UNSET")),
            (("unknown", "timeout"), ("unknown", "timeout", "UNSET")),
        ],
    )
    def test_as_the_caller_says(self, spans: Spans, arguments: Any, expected: tuple[str, str, str]) -> None:
        ao.start_session().end(*arguments)
        assert ending(spans.root()) == expected

    def test_with_left_normally_is_a_success_that_nobody_vouches_for(self, spans: Spans) -> None:
        with ao.session():
            pass
        assert ending(spans.root()) == ("success", "completed", "UNSET")
        assert spans.root().events == ()

    def test_said_error_without_an_exception_is_of_type_other(self, spans: Spans) -> None:
        ao.start_session().end("error")
        assert attributes(spans.root())["error.type"] == "_OTHER"
        assert spans.root().status.description is None

    def test_said_error_is_of_the_type_of_the_last_recorded_exception(self, spans: Spans) -> None:
        session = ao.start_session()
        session.record_exception(ValueError("first"))
        session.record_exception(Own("second"))
        trace.get_current_span().add_event("something else")
        session.end("error")
        assert attributes(spans.root())["error.type"] == OWN

    def test_a_recorded_exception_does_not_make_the_session_an_error(self, spans: Spans) -> None:
        with ao.session() as session:
            session.record_exception(ValueError("survived"))
        assert ending(spans.root()) == ("success", "completed", "UNSET")
        assert "error.type" not in attributes(spans.root())
        [event] = spans.root().events
        assert event.name == "exception"

    def test_the_first_end_wins(self, spans: Spans) -> None:
        with ao.session() as session:
            session.end("error")
        assert ending(spans.root()) == ("error", "completed", "ERROR")

    def test_a_status_the_user_set_stays(self, spans: Spans) -> None:
        with ao.session():
            trace.get_current_span().set_status(StatusCode.ERROR, "mine")
        assert ending(spans.root()) == ("success", "completed", "ERROR")
        assert spans.root().status.description == "mine"


class TestRaised:
    """Whatever leaves a block or a decorated function leaves it as the same object."""

    WAYS: ClassVar[list[str]] = ["with", "async with", "function", "coroutine", "handle"]

    def leave(self, way: str, error: BaseException) -> None:
        with pytest.raises(BaseException) as caught:  # noqa: PT012
            if way == "with":
                with ao.session():
                    _raise(error)
            elif way == "handle":
                with ao.start_session():
                    _raise(error)
            elif way == "function":
                ao.session(functools.partial(_raise, error))()
            elif way == "async with":
                _drive(_async_with(error))
            else:
                _drive(ao.session(_coroutine)(error))
        assert caught.value is error

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(("error", "kind"), RAISED, ids=[kind for _, kind in RAISED])
    def test_an_exception_is_an_error(self, spans: Spans, way: str, error: BaseException, kind: str) -> None:
        self.leave(way, error)
        root = spans.root()
        assert ending(root) == ("error", "exception", "ERROR")
        assert attributes(root)["error.type"] == kind
        [event] = root.events
        said = event.attributes or {}
        assert said["exception.type"] == kind
        assert "_raise" in str(said["exception.stacktrace"])
        if isinstance(error, Silent):
            assert said["exception.message"] == ""
        else:
            text = str(error).encode("utf-8", "replace").decode()  # an odd file name must not cost the batch
            assert said["exception.message"] == text
            assert text in str(root.status.description)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (GeneratorExit(), "cancelled"),
            (asyncio.CancelledError(), "cancelled"),
            (KeyboardInterrupt(), "signal"),
            (Keyboard(), "signal"),
            (SystemExit(), "process_exit"),
            (SystemExit(3), "process_exit"),
        ],
        ids=repr,
    )
    def test_an_end_from_outside_is_unknown(self, spans: Spans, way: str, error: BaseException, reason: str) -> None:
        self.leave(way, error)
        root = spans.root()
        assert ending(root) == ("unknown", reason, "UNSET")
        assert root.events == ()
        said = attributes(root)
        assert "error.type" not in said
        assert said.get("agentops.session.exit.signal") == ("SIGINT" if reason == "signal" else None)

    @pytest.mark.skipif(not GROUPS, reason="exception groups came with Python 3.11")
    def test_a_group_shows_what_is_in_it(self, spans: Spans) -> None:
        self.leave("with", GROUPS[0]("many", [ValueError("a"), Own("deep down")]))
        [event] = spans.root().events
        assert "deep down" in str((event.attributes or {})["exception.stacktrace"])

    @pytest.mark.skipif(importlib.util.find_spec("trio") is None, reason="needs trio")
    def test_cancelled_by_trio_is_cancelled(self, spans: Spans) -> None:
        import trio  # type: ignore[import-not-found,unused-ignore]

        async def main() -> None:
            with trio.CancelScope() as scope:
                async with ao.session():
                    scope.cancel()
                    await trio.lowlevel.checkpoint()

        trio.run(main)
        assert ending(spans.root()) == ("unknown", "cancelled", "UNSET")

    def test_cancelled_task_is_cancelled(self, spans: Spans) -> None:
        async def main() -> None:
            started = asyncio.Event()

            @ao.session
            async def work() -> None:
                started.set()
                await asyncio.Event().wait()

            task = asyncio.ensure_future(work())
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert ending(spans.root()) == ("unknown", "cancelled", "UNSET")


def _raise(error: BaseException) -> None:
    raise error


async def _coroutine(error: BaseException) -> None:
    _raise(error)


async def _async_with(error: BaseException) -> None:
    async with ao.session():
        _raise(error)


def _drive(coroutine: Any) -> None:
    """Runs a coroutine that waits for nothing, without a loop that has its own opinion of exceptions."""
    try:
        coroutine.send(None)
    except StopIteration:  # not `suppress`, which makes new exception groups
        return
