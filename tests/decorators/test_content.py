"""What of arguments and results is written, where, and that no value can hurt."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import logging
import math
import pathlib
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from support import programs
from support.otlp import Receiver
from support.spans import Spans, attributes, in_use

import agentops_otel as ao
from agentops_otel import shield
from agentops_otel.decorators.encoding import DEPTH, ITEMS, LIMIT, encode
from agentops_otel.runtime import runtime

SURROGATE = "\ud83d"
CONTENT = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "agentops.input", "agentops.output")


@pytest.fixture
def on_spans(spans: Spans) -> Spans:
    """Content is wanted on spans."""
    runtime.set(content_on_spans=True)
    return spans


def content(spans: Spans) -> tuple[Any, Any]:
    """Input and output of the one span, decoded; None where there is none."""
    [span] = spans.all()
    spans.clear()
    found = {name.rpartition(".")[2]: json.loads(text) for name, text in attributes(span).items() if name in CONTENT}
    return found.get("input", found.get("arguments")), found.get("output", found.get("result"))


def anything(*args: Any, **kwargs: Any) -> Any:
    return kwargs if kwargs else args[0] if len(args) == 1 else args


class Trap:
    """Whatever is asked of it is a mistake."""

    def _trap(self, *args: Any) -> NoReturn:
        raise AssertionError("somebody looked at it")

    __repr__ = __str__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = __format__ = __getattribute__ = _trap
    __getitem__ = __call__ = __index__ = __float__ = __fspath__ = __reduce__ = keys = items = _trap


class TestWhereItIsWritten:
    def test_nowhere_by_default_and_nothing_is_looked_at(self, spans: Spans) -> None:
        ao.tool(anything)(Trap())
        [span] = spans.all()
        assert not set(attributes(span)) & set(CONTENT)

    def test_nowhere_where_the_span_is_not_recording(self) -> None:
        asked: list[str] = []
        with in_use(Spans(sampler=ALWAYS_OFF)):
            runtime.set(content_on_spans=True, content_on_events=True, redact=lambda name, value: asked.append(name))
            ao.tool(anything)(1)
        assert asked == []

    @pytest.mark.parametrize(
        ("make", "names"),
        [
            (ao.tool, ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")),
            (ao.agent, ("agentops.input", "agentops.output")),
            (ao.workflow, ("agentops.input", "agentops.output")),
            (ao.task, ("agentops.input", "agentops.output")),
            (ao.guardrail, ("agentops.input", "agentops.output")),
        ],
    )
    def test_on_spans(self, on_spans: Spans, make: Callable[..., Any], names: tuple[str, str]) -> None:
        make(anything)("in")
        [span] = on_spans.all()
        found = {name: text for name, text in attributes(span).items() if name in CONTENT}
        assert found == {names[0]: '{"args":["in"]}', names[1]: '"in"'}

    def test_settings_are_looked_up_at_each_call(self, spans: Spans) -> None:
        decorated = ao.tool(anything)
        decorated(1)
        assert content(spans) == (None, None)
        runtime.set(content_on_spans=True)
        decorated(2)
        assert content(spans) == ({"args": [2]}, 2)
        runtime.set(content_on_spans=False)
        decorated(3)
        assert content(spans) == (None, None)

    @pytest.mark.parametrize("where", ["SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT", "NO_CONTENT"])
    def test_as_the_variable_says(self, receiver: Receiver, where: str) -> None:
        env = {**receiver.environment(), "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": where}
        ended = programs.run(["-c", _PROGRAM], env)
        assert (ended.returncode, ended.stderr) == (0, "")
        [span] = [span for span in receiver.spans if span.name == "execute_tool search"]
        written = {
            "gen_ai.tool.call.arguments": '{"question":"why"}',
            "gen_ai.tool.call.result": '["because"]',
        }
        found = {name: text for name, text in span.attributes.items() if name in CONTENT}
        assert found == (written if where.startswith("SPAN") else {})
        events = [log for log in receiver.logs if log.event_name == "agentops.operation.details"]
        if "EVENT" in where:
            [event] = events
            assert (event.trace_id, event.span_id) == (span.trace_id, span.span_id)
            assert {name: event.attributes[name] for name in written} == written
            assert event.attributes["gen_ai.tool.name"] == "search"
            assert event.severity_text == "INFO"
        else:
            assert events == []

    def test_events_of_calls_that_fail_or_are_closed_have_what_there_is(self, receiver: Receiver) -> None:
        env = {**receiver.environment(), "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY"}
        ended = programs.run(["-c", _PROGRAM_THAT_FAILS], env)
        assert (ended.returncode, ended.stderr) == (0, "")
        failed, closed = [log for log in receiver.logs if log.event_name == "agentops.operation.details"]
        assert {name: text for name, text in failed.attributes.items() if name in CONTENT} == {
            "agentops.input": '{"number":1}'
        }
        assert failed.severity_text == "ERROR"
        assert closed.attributes["agentops.output"] == "[2]"
        assert closed.severity_text == "INFO"


_PROGRAM = """
import agentops_otel as ao

@ao.tool
def search(question):
    return ["because"]

ao.configure()
search("why")
"""

_PROGRAM_THAT_FAILS = """
import contextlib
import agentops_otel as ao

@ao.task
def fails(number):
    raise ValueError(number)

@ao.task
def steps(number):
    yield number

ao.configure()
with contextlib.suppress(ValueError):
    fails(1)
for _ in steps(2):
    break
"""


class TestArguments:
    @pytest.mark.parametrize(
        ("args", "kwargs", "named"),
        [
            ((1,), {}, {"a": 1}),
            ((1, 2, 3, 4), {"c": 5}, {"a": 1, "b": 2, "more": [3, 4], "c": 5}),
            ((1,), {"b": 2, "d": 3}, {"a": 1, "b": 2, "d": 3}),
            ((1,), {"a": 2}, {"a": 1, "named.a": 2}),
        ],
    )
    def test_have_their_names(
        self, on_spans: Spans, args: tuple[Any, ...], kwargs: dict[str, Any], named: dict[str, Any]
    ) -> None:
        @ao.tool
        def work(a: int, /, b: int = 0, *more: int, c: int = 0, **named: int) -> None:
            pass

        work(*args, **kwargs)
        assert content(on_spans) == (named, None)

    def test_of_built_in_functions_without_a_signature(self, on_spans: Spans) -> None:
        ao.tool(max)([1, 2], default=3)
        assert content(on_spans) == ({"args": [[1, 2]], "default": 3}, 2)

    def test_of_wrong_calls_are_what_was_passed(self, on_spans: Spans) -> None:
        @ao.tool
        def work(a: int) -> None:
            pass

        with pytest.raises(TypeError):
            work(1, 2, c=3)  # type: ignore[call-arg]
        assert content(on_spans) == ({"args": [1, 2], "c": 3}, None)

    def test_of_methods_leave_their_object_out(self, on_spans: Spans) -> None:
        class Toolbox:
            @ao.tool
            def method(self, a: int) -> None: ...

            @ao.tool
            @classmethod
            def of_the_class(klass, a: int) -> None: ...

            @ao.tool
            @staticmethod
            def static(self: int) -> None: ...

            def __call__(self, a: int) -> None: ...

        box = Toolbox()
        for call in (box.method, box.of_the_class, ao.tool(box), ao.tool(box.__call__)):
            call(1)
            assert content(on_spans) == ({"a": 1}, None)
        box.static(1)
        assert content(on_spans) == ({"self": 1}, None)

    def test_of_partials_are_what_the_call_adds(self, on_spans: Spans) -> None:
        ao.tool(functools.partial(lambda a, b: a + b, 1))(2)
        assert content(on_spans) == ({"b": 2}, 3)

    def test_are_those_of_the_beginning(self, on_spans: Spans) -> None:
        ao.tool(lambda items: items.clear())([1])
        assert content(on_spans) == ({"items": [1]}, None)

    def test_are_there_where_the_call_failed(self, on_spans: Spans) -> None:
        with pytest.raises(ZeroDivisionError):
            ao.tool(lambda a: a / 0)(1)
        [span] = on_spans.all()
        assert attributes(span)["gen_ai.tool.call.arguments"] == '{"a":1}'
        assert "gen_ai.tool.call.result" not in attributes(span)


class TestResults:
    def test_of_coroutines(self, on_spans: Spans) -> None:
        @ao.task
        async def work() -> int:
            await asyncio.sleep(0)
            return 1

        asyncio.run(work())
        assert content(on_spans) == ({}, 1)

    def test_of_generators_are_what_they_yield(self, on_spans: Spans) -> None:
        @ao.task
        def work() -> Iterator[list[int]]:
            items = [1]
            yield items
            items.append(2)
            yield items

        list(work())
        assert content(on_spans) == ({}, [[1], [1, 2]])

    def test_of_async_generators_too(self, on_spans: Spans) -> None:
        @ao.task
        async def work() -> AsyncIterator[int]:
            yield 1
            yield 2

        async def main() -> None:
            async for _ in work():
                pass

        asyncio.run(main())
        assert content(on_spans) == ({}, [1, 2])

    def test_of_long_generators_are_cut_and_counted(self, on_spans: Spans) -> None:
        asked: list[object] = []

        def seen(name: str, value: object) -> object:
            asked.append(value)
            return value

        runtime.set(redact=seen)

        @ao.task
        def work(size: int) -> Iterator[str]:
            for number in range(1000):
                yield str(number).zfill(size)

        list(work(1))
        _, result = content(on_spans)
        assert result == [*map(str, range(100)), "… (1000 items)"]
        assert len(asked) == 101  # with the argument
        list(work(1000))
        [span] = on_spans.all()
        text = attributes(span)["agentops.output"]
        assert len(text.encode()) <= LIMIT
        kept = json.loads(text)
        assert kept[-1] == "… (1000 items)"
        assert kept[0] == "0".zfill(1000)
        assert len(kept) > 10

    def test_of_a_generator_that_yields_nothing(self, on_spans: Spans) -> None:
        @ao.task
        def work() -> Iterator[int]:
            yield from ()

        list(work())
        assert content(on_spans) == ({}, None)


class TestRedaction:
    def test_is_by_the_name_of_each_argument_and_of_the_result(self, on_spans: Spans) -> None:
        asked: list[tuple[str, object]] = []

        def redact(name: str, value: object) -> object:
            asked.append((name, value))
            return "***" if name in ("password", "return") else value

        runtime.set(redact=redact)

        @ao.tool
        def log_in(user: str, *more: int, **named: str) -> str:
            return "token"

        assert log_in("u", 1, password="p") == "token"
        assert asked == [("user", "u"), ("more", (1,)), ("password", "p"), ("return", "token")]
        assert content(on_spans) == ({"user": "u", "more": [1], "password": "***"}, "***")

    def test_that_fails_writes_nothing_of_the_content_anywhere(
        self, on_spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(shield, "reraise", False)
        monkeypatch.setattr(shield, "_said", set())

        def redact(name: str, value: object) -> object:
            raise ValueError(f"cannot redact {value}")

        runtime.set(redact=redact)
        assert ao.tool(lambda a, b: "secret 3")("secret 1", b="secret 2") == "secret 3"
        failed = "<not redacted: the hook failed>"
        assert content(on_spans) == ({"a": failed, "b": failed}, failed)
        [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert "redact" in record.getMessage()
        assert "ValueError" in caplog.text
        assert "secret" not in caplog.text

    def test_may_return_anything(self, on_spans: Spans) -> None:
        runtime.set(redact=lambda name, value: Trap())
        ao.tool(anything)(1)
        named = f"<{__name__}.Trap>"
        assert content(on_spans) == ({"args": named}, named)


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None
    secret: str = dataclasses.field(default="s", repr=False)


@dataclasses.dataclass(slots=True)
class Slotted:
    x: int
    deleted: int = 0


class Text(str):
    def __str__(self) -> str:
        raise AssertionError

    __repr__ = __len__ = __iter__ = __getitem__ = encode = isascii = __str__  # type: ignore[assignment]


class Whole(int):
    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __index__ = __format__ = bit_length = __repr__  # type: ignore[assignment]


class Real(float):
    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __repr__


class Endless(list[int]):
    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1

    def __len__(self) -> int:
        raise AssertionError

    def __repr__(self) -> str:
        while True:
            pass

    __str__ = __repr__


class EndlessDict(dict[str, int]):
    def items(self) -> Any:
        while True:
            pass

    keys = __iter__ = __len__ = __repr__ = items


def cyclic() -> list[Any]:
    items: list[Any] = [1]
    items.append({"self": items})
    return items


def nested(depth: int) -> list[Any]:
    items: list[Any] = []
    for _ in range(depth):
        items = [items]
    return items


slotted = Slotted(1)
del slotted.deleted


class TestEncoding:
    @pytest.mark.parametrize(
        ("value", "encoded"),
        [
            (None, None),
            (True, True),
            (1, 1),
            (-1.5, -1.5),
            ("text", "text"),
            ('"\n\x00', '"\n\x00'),
            ("ä€😀", "ä€😀"),
            (SURROGATE, "?"),
            (math.nan, "nan"),
            (math.inf, "inf"),
            (-math.inf, "-inf"),
            (2**256 - 1, 2**256 - 1),
            (10**5000, "<int of 16610 bits>"),
            (b"abc", "<3 bytes>"),
            (bytearray(2), "<2 bytes>"),
            (memoryview(b"abcd"), "<4 bytes>"),
            ([1, [2]], [1, [2]]),
            ((1, 2), [1, 2]),
            ({1}, [1]),
            (frozenset(), []),
            (collections.deque([1]), [1]),
            ({"a": 1}.keys(), ["a"]),
            ({"a": 1}.values(), [1]),
            ({"a": {"b": None}}, {"a": {"b": None}}),
            ({1: 1, None: 2, True: 3}, {"1": 3, "null": 2}),  # noqa: F601
            ({(1, 2): 1, b"k": 2, 1.5: 3}, {"<tuple>": 1, "<1 bytes>": 2, "1.5": 3}),
            (collections.OrderedDict(a=1), {"a": 1}),
            (collections.defaultdict(list, a=[1]), {"a": [1]}),
            (Colour.RED, "red"),
            (Number.ONE, 1),
            (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
            (slotted, {"x": 1, "…": "2 items"}),
            (Point, "<type>"),
            (len, "<builtin_function_or_method>"),
            (iter([1]), "<list_iterator>"),
            (datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02 03:04:00"),
            (datetime.timedelta(seconds=1), "0:00:01"),
            (decimal.Decimal("1.50"), "1.50"),
            (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (pathlib.PurePosixPath("/a"), "/a"),
            (ValueError("x"), "<ValueError>"),
            (Text("text"), "text"),
            (Whole(1), 1),
            (Real(1.5), 1.5),
            (Real("nan"), "nan"),
            (Endless([1, 2]), [1, 2]),
            (EndlessDict(a=1), {"a": 1}),
            (cyclic(), [1, {"self": "<cycle: list>"}]),
            (nested(7), nested(7)),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_of_one_of_each_kind(self, value: Any, encoded: Any) -> None:
        assert json.loads(encode(value)) == encoded

    def test_of_what_does_not_want_to_be_looked_at(self) -> None:
        assert encode([Trap()]) == f'["<{__name__}.Trap>"]'

    def test_is_compact(self) -> None:
        assert encode({"a": [1, 2], "b": "c"}) == '{"a":[1,2],"b":"c"}'

    def test_the_same_thing_twice_is_no_cycle(self) -> None:
        item = [1]
        assert encode([item, item]) == "[[1],[1]]"

    def test_of_what_is_too_deep(self) -> None:
        text = encode(nested(100_000))
        assert text == "[" * DEPTH + '"<too deep: list>"' + "]" * DEPTH

    def test_of_what_is_too_long(self) -> None:
        assert json.loads(encode(list(range(1000)))) == [*range(ITEMS), "… (1000 items)"]
        many = json.loads(encode({str(number): number for number in range(1000)}))
        assert many == {**{str(number): number for number in range(ITEMS)}, "…": "1000 items"}
        text = encode("x" * 1_000_000)
        assert LIMIT - 1024 < len(text.encode()) <= LIMIT
        assert json.loads(text).endswith("x… (1000000 characters)")

    def test_of_what_cannot_be_looked_into(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shield, "reraise", False)
        monkeypatch.setattr(shield, "_said", set())
        released = memoryview(b"abc")
        released.release()
        assert encode([1, released]) == '"<not encoded: list>"'

    @settings(max_examples=50)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.binary(),
            lambda inner: (
                st.lists(inner)
                | st.tuples(inner, inner)
                | st.dictionaries(st.text() | st.integers() | st.none() | st.binary(), inner)
            ),
        )
    )
    def test_is_json_that_is_not_too_long(self, value: Any) -> None:
        for limit in (1024, LIMIT):
            text = encode(value, limit)
            json.loads(text)
            assert len(text.encode()) <= limit

    @settings(max_examples=50)
    @given(st.integers(0, 1_000_000), st.sampled_from([1024, 2000, LIMIT]))
    def test_is_json_that_is_not_too_long_where_everything_is(self, seed: int, limit: int) -> None:
        rng = random.Random(seed)

        def text() -> str:
            return rng.choice(["x", "\n", "€", '"', "😀", "\x01", SURROGATE]) * rng.randrange(3000)

        def make(depth: int) -> Any:
            what = rng.randrange(9 if depth else 4)
            if what == 0:
                return text()
            if what == 1:
                return rng.choice([2**256 - 1, -(2**256) + 1, 10**400, math.nan, 1e-300, None, Trap()])
            if what == 2:
                return bytes(rng.randrange(10))
            if what == 3:
                return Point(rng.randrange(10))
            if what < 6:
                return {text() if rng.random() < 0.5 else n: make(depth - 1) for n in range(rng.randrange(12))}
            return [make(depth - 1) for _ in range(rng.randrange(12))]

        written = encode(make(4), limit)
        json.loads(written)
        assert len(written.encode()) <= limit


class TestModels:
    def test_of_pydantic_are_their_fields(self) -> None:
        pydantic = pytest.importorskip("pydantic")

        class Inner(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            a: int

        class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            name: str
            inner: Inner
            password: pydantic.SecretStr = pydantic.SecretStr("secret")  # type: ignore[name-defined]
            hidden: str = pydantic.Field("hidden", repr=False)

            def __repr__(self) -> str:
                raise AssertionError

        assert json.loads(encode(Model(name="n", inner=Inner(a=1)))) == {
            "name": "n",
            "inner": {"a": 1},
            "password": "<pydantic.types.SecretStr>",
        }


def test_surrogates_and_all_else_can_be_exported(receiver: Receiver) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(f"{receiver.http_endpoint}/v1/traces")
    with in_use(Spans(after=[BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000)])) as spans:
        runtime.set(content_on_spans=True)
        ao.tool(anything)(**{SURROGATE: SURROGATE, "nul": "\0"})
        assert ao.flush(10)
        spans.provider.shutdown()
    [span] = receiver.spans
    assert json.loads(span.attributes["gen_ai.tool.call.arguments"]) == {"?": "?", "nul": "\0"}
