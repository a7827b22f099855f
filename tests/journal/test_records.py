"""What records say: spans survive their journal, and what was not written by one does no harm."""

from __future__ import annotations

import enum
import math
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from support.spans import context_of

from agentops_otel.journal import format, records
from agentops_otel.journal.rebuild import Tables

LAST = 2**63 - 1
"""The greatest integer, and nanosecond, that OTLP has."""


class Text(str):
    __slots__ = ()


class Number(float):
    """As `numpy.float64` is one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "a number"


class Whole(int):
    def __str__(self) -> str:
        return "a whole number"


class Colour(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Says(Sampler):
    """Samples all, with a trace state of its own."""

    def __init__(self, state: TraceState) -> None:
        self._state = state

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE, trace_state=self._state)

    def get_description(self) -> str:
        return "Says"


class Ids(IdGenerator):
    """Those of a given context."""

    def __init__(self, context: SpanContext) -> None:
        self._context = context

    def generate_trace_id(self) -> int:
        return self._context.trace_id

    def generate_span_id(self) -> int:
        return self._context.span_id


provider = TracerProvider(
    shutdown_on_exit=False,
    resource=SdkResource({"service.name": "test", "process.command_args": ["a", "b"]}, "https://resource.example"),
)
tracer = provider.get_tracer("scope", "1", "https://scope.example", {"scope.attribute": True})

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = words.filter(bool)
times = st.integers(1, LAST)
plain = st.one_of(
    words,
    st.booleans(),
    st.integers(-LAST - 1, LAST),
    st.floats(),
    st.binary(max_size=20),
    words.map(Text),
    st.floats().map(Number),
    st.integers(-LAST - 1, LAST).map(Whole),
    st.sampled_from([Colour.RED, Level.HIGH]),
)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner | st.none(), max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(names, inner | st.none(), max_size=3)
    ),
    max_leaves=8,
)
"""Also what some versions of the SDK do not take; then it is not on the span."""
some_attributes = st.dictionaries(names, values, max_size=5)
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    st.sampled_from([TraceState(), TraceState([("vendor", "a:1;b:2"), ("other@x", "y")])]),
)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Any span that has ended."""
    remote = draw(contexts | st.none())
    links = draw(st.lists(st.builds(Link, contexts, some_attributes), max_size=2))
    around = None if remote is None else trace.set_span_in_context(trace.NonRecordingSpan(remote))
    states = st.sampled_from([ALWAYS_ON, Says(TraceState([("vendor", "1")]))])
    start, end = sorted(draw(st.tuples(times, times)))
    drawn = TracerProvider(draw(states), provider.resource, shutdown_on_exit=False, id_generator=Ids(draw(contexts)))
    span = drawn.get_tracer("scope", "1", "https://scope.example", {"scope.attribute": True}).start_span(
        draw(words), around, draw(st.sampled_from(SpanKind)), draw(some_attributes), links, start
    )
    assert isinstance(span, Span)
    for name, attributes, time in draw(st.lists(st.tuples(words, some_attributes, st.integers(0, LAST)), max_size=2)):
        span.add_event(name, attributes, time)
    span.set_status(
        draw(st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR, draw(words | st.none()))]))
    )
    span.end(end)
    return span


class First:
    """Names every resource and scope by the number 0."""

    def resource(self, resource: object) -> int:
        return 0

    scope = resource


def start_body(span: Any, *, is_root: bool = False) -> bytes | None:
    numbers = {id(span._resource): 0, id(span._instrumentation_scope): 0}
    return records.start_body(span, context_of(span), numbers, is_root)


def written(span: object, sink: int = 0) -> bytes:
    framed = records.framed_span(span, First(), is_root=False, sink=sink)
    payload = framed[format.FRAME_SIZE :]
    assert framed == format.framed(payload)
    return payload


def tables(span: ReadableSpan) -> Tables:
    """The tables that a journal has of a span, written and read."""
    scope = span.instrumentation_scope
    assert scope is not None
    found = Tables()
    for entry in (
        records.Resource(0, dict(span.resource.attributes), span.resource.schema_url),
        records.Scope(0, scope.name, scope.version, scope.schema_url, dict(scope.attributes or {})),
    ):
        read = records.decode(records.encode(entry))
        assert isinstance(read, (records.Resource, records.Scope))
        found.add(read)
    return found


def through_the_journal(span: Span) -> ReadableSpan:
    state = records.decode(written(span))
    assert isinstance(state, records.SpanState)
    back = tables(span).readable(state)
    assert back is not None
    return back


def on_the_wire(span: ReadableSpan) -> bytes:
    return bytes(encode_spans([span]).SerializeToString(deterministic=True))


def with_attributes(attributes: Mapping[str, Any]) -> Span:
    span = tracer.start_span("span", attributes=attributes)
    assert isinstance(span, Span)
    span.end()
    return span


# -- what the SDK makes -------------------------------------------------------------------------------------------


@given(spans())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_span_is_exported_after_its_journal_as_it_would_have_been(span: Span) -> None:
    assert on_the_wire(through_the_journal(span)) == on_the_wire(span)


@given(spans())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_span_is_the_same_in_one_record_and_in_two(span: Span) -> None:
    start, end = start_body(span), records.end_body(span, 7, 0)
    assert end is not None
    if span.links or context_of(span).trace_state:
        assert start is None
        start = records.framed_span(span, First(), is_root=False)[format.FRAME_SIZE + 1 :]
    assert start is not None
    started, ended = (
        records.decode(bytes((kind,)) + body) for kind, body in ((records.SPAN, start), (records.ENDED, end))
    )
    assert isinstance(started, records.SpanState)
    assert isinstance(ended, records.Ended)
    assert (started.end, started.sink, ended.whole) == (0, records.NOBODY, 7)
    # By its repr, in which a number that is none equals itself.
    assert repr(ended.of(started)) == repr(records.decode(written(span)))


def test_a_span_that_has_started_is_written_as_one_that_has_not_changed_since() -> None:
    # So that nothing is written of it until it has.
    span = tracer.start_span("span", kind=SpanKind.CLIENT, attributes={"a": ("b",)})
    start = start_body(span, is_root=True)
    assert start is not None
    assert format.framed(bytes((records.SPAN,)) + start) == records.framed_span(span, First(), is_root=True)


@pytest.mark.parametrize("value", ["\ud800", 2**64])
def test_a_span_that_cannot_be_encoded_as_it_is_is_written_whole(value: Any) -> None:
    span = with_attributes({"odd": value})
    assert (start_body(span), records.end_body(span, 7, 0)) == (None, None)


@pytest.mark.parametrize(
    "value",
    ["", "text", True, 0, -(2**63), 2**63 - 1, 1.5, math.inf, (), (1, 2), (True,), (0.5,), ("a", "b"), ("a", None)],
    ids=repr,
)
def test_an_attribute_has_the_type_it_had(value: Any) -> None:
    back = (through_the_journal(with_attributes({"value": value})).attributes or {})["value"]
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    ("value", "kept"), [(Number(1.5), 1.5), (Whole(7), 7), ((Number(1.0), Number(2.0)), (1.0, 2.0))]
)
def test_a_number_of_a_type_of_its_own_is_still_a_number(value: Any, kept: Any) -> None:
    span = with_attributes({"value": value})
    if "value" not in (span.attributes or {}):
        pytest.skip("this SDK does not take it")
    back = (through_the_journal(span).attributes or {})["value"]
    assert (back, type(back)) == (kept, type(kept))


@pytest.mark.parametrize(
    "value",
    [2**63, 2**64, -(2**63) - 1, 10**400, (1, 2**70), "\ud800", ("\udcff", "a"), {"\ud800": "\ud800"}],
    ids=repr,
)
def test_a_value_that_cannot_be_exported_costs_neither_the_span_nor_its_other_attributes(value: Any) -> None:
    back = through_the_journal(with_attributes({"first": 1, "odd": value, "last": ("a",)}))
    assert [(back.attributes or {}).get(name) for name in ("first", "last")] == [1, ("a",)]
    assert on_the_wire(back)


@pytest.mark.parametrize("name", ["\ud800", "\0", "a" * 100_000])
def test_a_name_may_be_odd(name: str) -> None:
    span = with_attributes({name: 1})
    span._name = name
    back = through_the_journal(span)
    assert back.name == name.replace("\ud800", "?")
    assert dict(back.attributes or {}) == {name.replace("\ud800", "?"): 1}


def test_a_span_may_be_written_while_other_threads_write_to_it() -> None:
    # The odd text makes it be looked through in Python, where the other thread may come in between.
    span = tracer.start_span("span", attributes={"odd": "\ud800"} | {f"attribute {n}": Whole(n) for n in range(40)})
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            span.set_attribute(f"attribute {number % 100}", number)
            span.add_event("event", {"number": number})

    thread = threading.Thread(target=write)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(500):
            state = records.decode(written(span, sink=records.NOBODY))
            assert isinstance(state, records.SpanState)
            assert state.attributes["odd"] == "?"
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval)


# -- what others wrote --------------------------------------------------------------------------------------------

unsigned = st.integers(0, 2**64 - 1)
readable = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | words | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.integers(0, 9), inner, max_size=3),
    max_leaves=6,
)
"""Whatever msgpack can say."""
mappings = st.dictionaries(words, readable, max_size=3)
any_records: st.SearchStrategy[records.Record] = st.one_of(
    st.builds(records.Owner, unsigned, words),
    st.builds(records.Resource, unsigned, mappings, words),
    st.builds(records.Scope, unsigned, words, words | st.none(), words | st.none(), mappings | st.none()),
    st.builds(records.Sink, unsigned, words),
    st.builds(records.Closed, unsigned),
    st.builds(records.Accepted, unsigned, unsigned),
    st.builds(records.Delivered, unsigned, st.lists(unsigned, max_size=5)),
)


@given(any_records)
def test_every_other_record_is_read_as_it_was_written(record: records.Record) -> None:
    # By its repr, in which a number that is none equals itself.
    assert repr(records.decode(records.encode(record))) == repr(record)


@given(st.binary(max_size=200), st.integers(0, 9))
def test_random_bytes_are_a_record_or_none(data: bytes, kind: int) -> None:
    for payload in (data, bytes((kind,)) + data):
        record = records.decode(payload)
        assert record is None or isinstance(record, records.Record)


@given(readable, st.integers(0, 255))
def test_what_is_msgpack_but_no_record_is_none(body: object, kind: int) -> None:
    assert records.decode(bytes((kind,)) + msgspec.msgpack.encode({"no": body})) is None


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd\xff\xff\xff\xff",  # arrays, maps, text and bytes of four billion
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 1_000_000,  # nested too deeply
        b"\x93\x01\x81\xa1a\x81\x80\x01\xa0",  # a map as a key
        b"\x93\x01\x81\xa1a\xd7\xff" + b"\xff" * 8 + b"\xa0",  # a time that is none
    ],
    ids=["array", "map", "text", "bytes", "deep", "key", "time"],
)
@pytest.mark.parametrize("kind", range(10))
def test_a_hostile_payload_is_none(kind: int, body: bytes) -> None:
    assert records.decode(bytes((kind,)) + body) is None


def test_nothing_is_executed() -> None:
    # What an unpickler would call stays what it is: bytes, or an extension that no attribute can be.
    state = records.decode(
        bytes((records.RESOURCE,))
        + msgspec.msgpack.encode((0, {"bytes": b"cos\nsystem\n(S'exit'\ntR.", "ext": msgspec.msgpack.Ext(1, b"x")}, ""))
    )
    assert isinstance(state, records.Resource)
    found = Tables()
    found.add(state)
    found.add(records.Scope(0, "scope", None, None, None))
    span = found.readable(_state(with_attributes({})))
    assert span is not None
    # As text with an SDK that has no bytes.
    assert span.resource.attributes["bytes"] in (b"cos\nsystem\n(S'exit'\ntR.", "cos\nsystem\n(S'exit'\ntR.")
    assert span.resource.attributes.get("ext") is None


@given(st.data())
def test_a_span_changed_by_a_byte_is_a_span_that_can_be_exported_or_none(data: st.DataObject) -> None:
    span = _span_with_everything()
    payload = bytearray(written(span))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    state = records.decode(bytes(payload))
    if isinstance(state, records.SpanState):
        back = tables(span).readable(state)
        assert back is None or on_the_wire(back)


integers = st.integers(-(2**63), 2**64 - 1)
odd_events = st.builds(records.Event, words, integers, mappings)
odd_links = st.builds(records.Link, st.binary(max_size=20), integers, words, integers, mappings)


@given(
    st.builds(
        records.SpanState,
        span_id=integers | unsigned,
        trace_id=st.binary(min_size=16, max_size=16) | st.binary(max_size=20),
        parent_id=integers,
        parent_is_remote=st.booleans(),
        is_root=st.booleans(),
        trace_state=words | st.sampled_from(["a=b", "a=b,a=c", "=", ",,,", "a=" + "b" * 300]),
        flags=integers,
        kind=integers,
        name=words,
        start=integers,
        end=integers,
        seen=integers,
        status=integers,
        description=words | st.none(),
        resource=st.just(0) | integers,
        scope=st.just(0) | integers,
        attributes=mappings,
        events=st.lists(odd_events, max_size=2),
        links=st.lists(odd_links, max_size=2),
        sink=integers,
    )
)
def test_whatever_a_record_says_of_a_span_is_a_span_that_can_be_exported_or_none(state: records.SpanState) -> None:
    back = tables(with_attributes({})).readable(state)
    assert back is None or on_the_wire(back)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("trace_id", value) for value in (b"", bytes(16), b"\xff" * 17)),
        *(("span_id", value) for value in (0, -1, 2**64)),
        *(("start", value) for value in (0, -1, 2**63)),
        *(("end", value) for value in (0, 2**63)),
        ("resource", 1),
    ],
)
def test_what_no_span_can_be_without_makes_it_none(name: str, value: Any) -> None:
    span = _span_with_everything()
    state = _state(span)
    assert tables(span).readable(state) is not None
    assert tables(span).readable(state._replace(**{name: value})) is None


def test_a_span_that_ended_before_it_started_was_written_by_a_clock_that_was_set_back() -> None:
    span = _span_with_everything()
    back = tables(span).readable(_state(span)._replace(end=999))
    assert back is not None
    assert back.end_time == back.start_time == 1_000


class Foreign:
    """Shows what the interface of a span has, and keeps it in its own way."""

    def __init__(self, span: Span) -> None:
        self.inner = span

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.inner, name)


def built_anew(span: Span) -> ReadableSpan:
    """As a processor of the user may do it, to leave something out."""
    names = ("name", "context", "parent", "resource", "attributes", "events", "links", "kind", "status")
    more = ("instrumentation_scope", "start_time", "end_time")
    return ReadableSpan(**{name: getattr(span, name) for name in (*names, *more)})


@pytest.mark.parametrize("make", [Foreign, built_anew])
def test_a_span_of_another_make_is_written_as_one_of_the_sdk(make: Callable[[Span], object]) -> None:
    span = _span_with_everything()
    assert written(make(span)) == written(span)


def test_what_is_no_span_is_not_written() -> None:
    with pytest.raises(AttributeError):
        records.framed_span(object(), First(), is_root=False)


def _state(span: Span) -> records.SpanState:
    state = records.decode(written(span))
    assert isinstance(state, records.SpanState)
    return state


def _span_with_everything() -> Span:
    context = SpanContext(1, 2, True, TraceFlags(1), TraceState([("vendor", "1")]))
    values: Sequence[Any] = ("text", 1, 0.5, True, ("a", "b"), (1, 2))
    span = tracer.start_span(
        "span",
        trace.set_span_in_context(trace.NonRecordingSpan(context)),
        SpanKind.CLIENT,
        {f"attribute {number}": value for number, value in enumerate(values)},
        [Link(context, {"link": 1})],
        start_time=1_000,
    )
    assert isinstance(span, Span)
    span.add_event("event", {"event": "x"}, 2_000)
    span.set_status(Status(StatusCode.ERROR, "description"))
    span.end(3_000)
    return span
