"""Wrong arguments raise TypeError or ValueError at the call, with the name of the argument; odd ones are taken."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from support.spans import Spans, attributes

import agentops_otel as ao
from agentops_otel.runtime import runtime
from agentops_otel.sessions.arguments import CARRIER_FIELDS, MAX_ID_LENGTH

HUGE = 10**400
"""No float holds it."""


def short(value: object) -> str | None:
    """Name of a long parameter; None: by its value, as usual."""
    return f"long-{type(value).__name__}" if isinstance(value, (int, str)) and len(str(value)) > 40 else None


class Store:
    """Knows nothing."""

    def put(self, session_id: str, carrier: object) -> None:
        pass

    def get(self, session_id: str) -> None:
        pass


class Model(str, Enum):
    SMALL = "small"


TRACEPARENT = f"00-{1:032x}-{2:016x}-01"

NOT_TEXT: list[Any] = [0, 1.5, True, b"bytes", ["a"], object()]
NOT_IDS: list[tuple[Any, type[Exception]]] = [
    *((value, TypeError) for value in NOT_TEXT),
    ("", ValueError),
    ("x" * (MAX_ID_LENGTH + 1), ValueError),
    ("line\nbreak", ValueError),
    ("nul\0", ValueError),
    (" before", ValueError),
    ("after ", ValueError),
    ("half of a pair \ud83d", ValueError),
]
NOT_TAGS: list[tuple[Any, type[Exception]]] = [
    ("one", TypeError),
    (b"one", TypeError),
    (1, TypeError),
    (None, TypeError),
    ([1], TypeError),
    (["a", None], TypeError),
    (["a", ""], ValueError),
]
NOT_VALUES: list[Any] = [None, object(), b"bytes", {"a": 1}, {1}, [1, "a"], [1, True], [None], [[1]], [b"a"], 1j]
NOT_ATTRIBUTES: list[tuple[Any, type[Exception]]] = [
    ("ab", TypeError),
    (1, TypeError),
    ([("a", 1)], TypeError),
    ({1: "a"}, TypeError),
    ({None: "a"}, TypeError),
    ({"": "a"}, ValueError),
    *(({"key": value}, TypeError) for value in NOT_VALUES),
]
NOT_SECONDS: list[tuple[Any, type[Exception]]] = [
    ("5", TypeError),
    (True, TypeError),
    ([5], TypeError),
    (5j, TypeError),
    (-1, ValueError),
    (-0.5, ValueError),
    (math.nan, ValueError),
    (math.inf, ValueError),
    (-math.inf, ValueError),
    # Longer than any wait that Python can make.
    (1e10, ValueError),
    (1e308, ValueError),
    (HUGE, ValueError),
    (-HUGE, ValueError),
]
NOT_LIMITS: list[tuple[Any, type[Exception]]] = [*NOT_SECONDS, (0, ValueError)]
OF_A_SESSION: list[tuple[str, Any, type[Exception]]] = [
    *(("name", value, TypeError) for value in NOT_TEXT),
    ("name", "", ValueError),
    *((name, *wrong) for name in ("id", "conversation_id", "user_id", "previous_id") for wrong in NOT_IDS),
    ("previous_id", {}, ValueError),
    ("previous_id", {"traceparent": TRACEPARENT}, ValueError),
    ("previous_id", {"baggage": "session.id=%00"}, ValueError),
    *(("tags", *wrong) for wrong in NOT_TAGS),
    *(("attributes", *wrong) for wrong in NOT_ATTRIBUTES),
    *((name, *wrong) for name in ("idle_timeout", "max_duration") for wrong in NOT_LIMITS),
]


def naming(argument: str) -> str:
    return rf"(^|\W){re.escape(argument)}\W"


# -- session and start_session --


@pytest.mark.parametrize(("argument", "value", "error"), OF_A_SESSION, ids=short)
def test_session_refuses_at_the_call_and_not_at_the_with(argument: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=naming(argument)):
        ao.session(**{argument: value})


@pytest.mark.parametrize(("argument", "value", "error"), OF_A_SESSION, ids=short)
def test_start_session_refuses_and_starts_nothing(
    spans: Spans, argument: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=naming(argument)):
        ao.start_session(**{argument: value})
    assert ao.open_sessions() == []
    assert spans.all() == []


@pytest.mark.parametrize("wrong", [print, int, len])
def test_start_session_is_no_decorator(wrong: Any) -> None:
    with pytest.raises(TypeError, match=naming("name")):
        ao.start_session(wrong)


def test_arguments_are_checked_without_an_sdk_too() -> None:
    with pytest.raises(TypeError, match="name must be a string, not int"):
        ao.start_session(5)  # type: ignore[arg-type]


def test_all_but_the_name_are_keywords() -> None:
    with pytest.raises(TypeError):
        ao.start_session("name", "id")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        ao.session("name", "id")  # type: ignore[call-overload]


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        ao.start_session(colour="red")  # type: ignore[call-arg]


ACCEPTED: list[tuple[str, Any]] = [
    ("name", "Grüße 👋"),
    ("name", "x" * 10_000),
    ("name", " "),
    ("name", Model.SMALL),
    ("name", None),
    *(
        (argument, value)
        for argument in ("id", "conversation_id", "user_id", "previous_id")
        for value in ("x" * MAX_ID_LENGTH, "ünï-ćødé", "a b", "../..", "{}", None)
    ),
    ("tags", ()),
    ("tags", []),
    ("tags", ["a", "a", "ä"]),
    ("tags", {"a"}),
    ("tags", {"a": 1}),
    ("tags", iter(["a", "b"])),
    ("attributes", None),
    ("attributes", {}),
    ("attributes", MappingProxyType({"a": 1})),
    ("attributes", {"ä b": "ü"}),
    ("attributes", {"s": "", "b": False, "i": -(2**63), "f": -0.0, "nan": math.nan, "inf": math.inf}),
    ("attributes", {"s": ["a", ""], "b": (True, False), "i": [1, 2], "f": (1.5,), "none": []}),
    ("idle_timeout", 3600),
    ("idle_timeout", 1e-9 + 3600),
    ("max_duration", 3600.5),
    ("max_duration", None),
]


@pytest.mark.parametrize(("argument", "value"), ACCEPTED, ids=short)
def test_edge_cases_are_accepted(spans: Spans, argument: str, value: Any) -> None:
    session = ao.start_session(**{argument: value})
    session.end()
    assert len(spans.roots()) == 1


def test_an_iterator_of_tags_serves_every_call_of_a_decorated_function(spans: Spans) -> None:
    @ao.session(tags=iter(["a", "b"]))
    def work() -> None:
        pass

    work()
    work()
    assert [attributes(root)["agentops.tags"] for root in spans.roots()] == [("a", "b")] * 2


def test_what_is_passed_in_may_change_afterwards(spans: Spans) -> None:
    tags, said, items = ["a"], {"k": 1}, [1, 2]
    scope = ao.session("s", tags=tags, attributes={**said, "list": items})
    tags.append("b")
    said["k"] = 2
    items.append(3)
    with scope:
        pass
    root = attributes(spans.root())
    assert (root["agentops.tags"], root["k"], root["list"]) == (("a",), 1, (1, 2))


def test_texts_that_cannot_be_exported_are_replaced(spans: Spans) -> None:
    with ao.session("\ud800", tags=["a\ud800"], attributes={"k\ud800": "v\ud800"}) as session:
        session.set_attributes({"list": ["a", "\udfff"], "set": "\ud800"})
    found = attributes(spans.root())
    assert (spans.root().name, found["agentops.tags"]) == ("session ?", ("a?",))
    assert (found["k?"], found["list"], found["set"]) == ("v?", ("a", "?"), "?")


@pytest.mark.parametrize("argument", ["idle_timeout", "max_duration"])
def test_the_longest_limit_does_not_disturb_the_background_work(spans: Spans, argument: str) -> None:
    longest = threading.TIMEOUT_MAX / 1.001
    with ao.session("long", **{argument: longest}), ao.session("other", max_duration=3600):  # type: ignore[call-overload]
        runtime.worker.settle(10)
        assert runtime.worker.is_alive
    assert spans.names() == ["session other", "session long"]


# -- any object --

OBJECTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(HUGE),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=MAX_ID_LENGTH + 10),
        st.text(st.characters(), max_size=5),  # with lone surrogates
        st.binary(max_size=5),
        st.builds(object),
        st.just(Ellipsis),
        st.just(NotImplemented),
        st.sampled_from(Model),
        st.sampled_from(ao.EndState),
        st.sampled_from(ao.EndReason),
        st.builds(ValueError),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(), st.none()), inner, max_size=3),
        st.lists(inner, max_size=3).map(iter),
        st.frozensets(st.one_of(st.text(max_size=3), st.integers()), max_size=3),
    ),
    max_leaves=6,
)
ARGUMENTS = [
    "name",
    "id",
    "conversation_id",
    "user_id",
    "tags",
    "attributes",
    "previous_id",
    "idle_timeout",
    "max_duration",
]


@pytest.mark.parametrize("argument", ARGUMENTS)
@given(value=OBJECTS)
def test_any_object_is_accepted_by_session_or_the_argument_is_named(argument: str, value: Any) -> None:
    try:
        ao.session(**{argument: value})
    except (TypeError, ValueError) as error:
        assert re.search(naming(argument), str(error))  # noqa: PT017


@given(arguments=st.fixed_dictionaries({}, optional=dict.fromkeys(ARGUMENTS, OBJECTS)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_start_session_accepts_arrives_once(spans: Spans, arguments: dict[str, Any]) -> None:
    spans.clear()
    try:
        session = ao.start_session(**arguments)
    except (TypeError, ValueError) as error:
        assert any(re.search(naming(argument), str(error)) for argument in arguments)  # noqa: PT017
        assert spans.all() == []
    else:
        session.end()
        assert len(spans.roots()) == 1


# -- the handle --


@pytest.fixture
def session(spans: Spans) -> Iterator[ao.Session]:
    session = ao.start_session("of this test")
    yield session
    session.end()


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        *(("state", value, TypeError) for value in (0, True, object(), ["success"], b"success")),
        *(("state", value, ValueError) for value in ("", "Success", "ok", "failed", "completed")),
        *(("reason", value, TypeError) for value in (0, True, object(), ["completed"])),
        *(("reason", value, ValueError) for value in ("", "done", "success")),
        *(("flush", value, TypeError) for value in (0, 1, "yes", None)),
        *(("timeout", *wrong) for wrong in [*NOT_SECONDS, (None, TypeError)]),
    ],
    ids=short,
)
def test_end_refuses_and_ends_nothing(session: ao.Session, argument: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=naming(argument)):
        session.end(**{argument: value})
    assert session.is_open


@pytest.mark.parametrize("state", [None, *ao.EndState, *(state.value for state in ao.EndState)])
@pytest.mark.parametrize("reason", [None, *ao.EndReason, *(reason.value for reason in ao.EndReason)])
def test_end_takes_every_state_and_reason_as_member_or_text(spans: Spans, state: Any, reason: Any) -> None:
    ao.start_session().end(state, reason)
    said = attributes(spans.root())
    assert said["agentops.session.end_state"] == (state or ao.EndState.SUCCESS)
    assert said["agentops.session.end_reason"] == (reason or ao.EndReason.COMPLETED)


@pytest.mark.parametrize("timeout", [0, 0.0, 1, 0.5, 1e9, 10**9])
def test_end_takes_any_time(spans: Spans, timeout: float) -> None:
    ao.start_session().end(flush=True, timeout=timeout)
    assert len(spans.roots()) == 1


@pytest.mark.parametrize(("value", "error"), [(None, TypeError), *NOT_ATTRIBUTES])
def test_set_attributes_refuses_and_sets_none(session: ao.Session, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=naming("attributes")):
        session.set_attributes({"good": 1, **value} if isinstance(value, dict) else value)
    session.end()


def test_set_attributes_sets_none_where_one_is_wrong(spans: Spans) -> None:
    with ao.session() as session:
        with pytest.raises(TypeError, match=r"attributes\['wrong'\]"):
            session.set_attributes({"good": 1, "wrong": object()})  # type: ignore[dict-item]
    assert "good" not in attributes(spans.root())


@pytest.mark.parametrize("value", NOT_VALUES)
def test_set_attribute_names_the_key_of_a_wrong_value(session: ao.Session, value: Any) -> None:
    with pytest.raises(TypeError, match=r"'the\.key'"):
        session.set_attribute("the.key", value)


@pytest.mark.parametrize(("key", "error"), [(1, TypeError), (None, TypeError), ("", ValueError), (b"k", TypeError)])
def test_set_attribute_refuses_a_wrong_key(session: ao.Session, key: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=naming("key")):
        session.set_attribute(key, 1)


@pytest.mark.parametrize(
    ("tags", "error"), [((1,), TypeError), ((None,), TypeError), ((["a"],), TypeError), (("a", ""), ValueError)]
)
def test_add_tags_refuses_and_adds_none(
    spans: Spans, session: ao.Session, tags: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error, match=naming("tags")):
        session.add_tags(*tags)
    session.end()
    assert "agentops.tags" not in attributes(spans.root())


@pytest.mark.parametrize("wrong", ["boom", None, ValueError, object()])
def test_record_exception_refuses_what_is_none(session: ao.Session, wrong: Any) -> None:
    with pytest.raises(TypeError, match=naming("exception")):
        session.record_exception(wrong)


@given(value=OBJECTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("attributes", lambda session, value: session.set_attributes(value)),
        ("key", lambda session, value: session.set_attribute(value, 1)),
        ("value", lambda session, value: session.set_attribute("key", value)),
        ("tags", lambda session, value: session.add_tags(value)),
        ("exception", lambda session, value: session.record_exception(value)),
        ("name", lambda session, value: session.record_score(value, 1)),
        ("value", lambda session, value: session.record_score("n", value)),
        ("label", lambda session, value: session.record_score("n", 1, label=value)),
        ("explanation", lambda session, value: session.record_score("n", 1, explanation=value)),
        ("state", lambda session, value: session.end(state=value)),
        ("reason", lambda session, value: session.end(reason=value)),
        ("flush", lambda session, value: session.end(flush=value, timeout=0)),
        ("timeout", lambda session, value: session.end(timeout=value)),
    ],
)
def test_any_object_is_accepted_by_a_handle_or_the_argument_is_named(
    spans: Spans, argument: str, call: Callable[[ao.Session, Any], None], value: Any
) -> None:
    spans.clear()
    with ao.session() as session:
        try:
            call(session, value)
        except (TypeError, ValueError) as error:
            assert re.search(naming(argument), str(error))  # noqa: PT017
            assert session.is_open
    assert len(spans.roots()) == 1


def test_a_session_that_has_ended_takes_anything_in_silence(spans: Spans) -> None:
    session = ao.start_session()
    session.end()
    session.set_attribute("k", 1)
    session.set_attributes({"k": 1})
    session.add_tags("a")
    session.record_exception(ValueError())
    session.end("error")
    with session.attach(), session:
        pass
    assert "k" not in attributes(spans.root())


# -- scores --

NOT_SCORES: list[tuple[str, Any, type[Exception]]] = [
    *(("name", value, TypeError) for value in [*NOT_TEXT, None]),
    ("name", "", ValueError),
    *(("value", value, TypeError) for value in ("1", b"1", [1], 1j, object())),
    *(("value", value, ValueError) for value in (math.nan, math.inf, -math.inf, HUGE, -HUGE)),
    *((name, value, TypeError) for name in ("label", "explanation") for value in NOT_TEXT),
    *((name, "", ValueError) for name in ("label", "explanation")),
]


@pytest.mark.parametrize(("argument", "value", "error"), NOT_SCORES, ids=short)
def test_record_score_refuses_and_writes_nothing(
    spans: Spans, session: ao.Session, argument: str, value: Any, error: type[Exception]
) -> None:
    good: dict[str, Any] = {"name": "helpful", "value": 1}
    with pytest.raises(error, match=naming(argument)):
        session.record_score(**good | {argument: value})
    with pytest.raises(error, match=naming(argument)):
        ao.record_score("unknown", **good | {argument: value})
    session.end()
    assert [(span.name, span.events) for span in spans.all()] == [("session of this test", ())]


@pytest.mark.parametrize("arguments", [{}, {"explanation": "why"}])
def test_record_score_needs_a_value_or_a_label(session: ao.Session, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="value must be a number where no label is given"):
        session.record_score("helpful", **arguments)
    with pytest.raises(ValueError, match="value must be a number where no label is given"):
        ao.record_score("s", "helpful", **arguments)


@pytest.mark.parametrize(("value", "error"), [*NOT_IDS, (None, TypeError)], ids=short)
def test_record_score_refuses_what_is_no_id(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=naming("session_id")):
        ao.record_score(value, "helpful", 1)


# -- carriers --


@pytest.mark.parametrize(
    "wrong", [None, 1, "traceparent", b"bytes", [], [("traceparent", TRACEPARENT)], dict, object()]
)
def test_join_session_refuses_what_is_no_mapping(wrong: Any) -> None:
    with pytest.raises(TypeError, match=naming("carrier")):
        ao.join_session(wrong)


@given(carrier=st.dictionaries(st.one_of(st.sampled_from([*CARRIER_FIELDS, None, 1, b"baggage"]), st.text()), OBJECTS))
def test_join_session_takes_a_mapping_of_anything(carrier: dict[Any, Any]) -> None:
    with ao.join_session(carrier) as session:
        assert session is None


# -- the module --


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        *(("state", value, TypeError) for value in (0, object())),
        *(("state", value, ValueError) for value in ("", "ok")),
        *(("reason", value, TypeError) for value in (0, object())),
        *(("reason", value, ValueError) for value in ("", "success")),
    ],
)
def test_end_all_sessions_refuses_and_ends_none(
    session: ao.Session, argument: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=naming(argument)):
        ao.end_all_sessions(**{argument: value})
    assert session.is_open


@pytest.mark.parametrize(("value", "error"), [*NOT_SECONDS, (None, TypeError)], ids=short)
def test_flush_refuses(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=naming("timeout")):
        ao.flush(value)


@pytest.mark.parametrize("timeout", [5, 1e9, 10**9])
def test_flush_takes_any_time(spans: Spans, timeout: float) -> None:
    assert ao.flush(timeout) is True


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        *(("service_name", value, TypeError) for value in NOT_TEXT),
        ("service_name", "", ValueError),
        *(("tracer_provider", value, TypeError) for value in (1, "provider", object(), TracerProvider)),
        *(("signals", value, TypeError) for value in (0, 1, "true", object())),
        *(("exit_timeout", *wrong) for wrong in NOT_SECONDS),
        *(("propagation", value, TypeError) for value in (0, 1, "true", object())),
        *(("store", value, TypeError) for value in (1, "store", {}, object(), dict)),
        *(("redact", value, TypeError) for value in (1, "redact", object())),
    ],
    ids=short,
)
def test_configure_refuses_and_changes_nothing(spans: Spans, argument: str, value: Any, error: type[Exception]) -> None:
    settings, provider = runtime.settings, runtime.provider()
    good: dict[str, Any] = {
        "signals": not settings.signals,
        "exit_timeout": 17,
        "tracer_provider": TracerProvider(),
        "propagation": not settings.propagation,
        "store": Store(),
    }
    with pytest.raises(error, match=naming(argument)):
        ao.configure(**good | {argument: value})
    assert runtime.settings == settings
    assert runtime.provider() is provider
    assert runtime.registry.recent.store is None


@pytest.mark.parametrize("exit_timeout", [0, 0.0, 3, 2.5, 1e9])
@pytest.mark.parametrize("signals", [True, False])
def test_configure_takes_what_makes_sense(spans: Spans, signals: bool, exit_timeout: float) -> None:
    ao.configure("service", tracer_provider=spans.provider, signals=signals, exit_timeout=exit_timeout)
    assert runtime.settings.signals is signals
    assert runtime.settings.exit_timeout == exit_timeout


@given(arguments=st.fixed_dictionaries({}, optional=dict.fromkeys(["signals", "exit_timeout"], OBJECTS)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_object_is_accepted_by_configure_or_the_argument_is_named(spans: Spans, arguments: dict[str, Any]) -> None:
    try:
        ao.configure(tracer_provider=spans.provider, **arguments)
    except (TypeError, ValueError) as error:
        assert any(re.search(naming(argument), str(error)) for argument in arguments)  # noqa: PT017
