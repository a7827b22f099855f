"""Stored sessions are read back whole, whatever else is on the disk."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from agentops_otel import semconv
from agentops_otel.cli.document import document
from agentops_otel.cli.read import MAX_LINE, Sessions, StoredSession, read_sessions
from agentops_otel.cli.table import session_table
from agentops_otel.cli.text import console
from agentops_otel.cli.tree import session_tree

TRACE = "0af7651916cd43dd8448eb211c80319c"

any_input = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def span(
    number: int,
    parent: int | None = None,
    name: str = "work",
    trace: str = TRACE,
    attributes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A span as OTLP JSON has it."""
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": name,
        "startTimeUnixNano": str(1_700_000_000_000_000_000 + number),
        "endTimeUnixNano": str(1_700_000_001_000_000_000),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in (attributes or {}).items()],
    }


def root(number: int = 1, session_id: str = "s", trace: str = TRACE) -> dict[str, Any]:
    attributes = {semconv.SESSION_ID: session_id, semconv.GEN_AI_OPERATION_NAME: "session"}
    return span(number, name="session research", trace=trace, attributes=attributes)


def line(*spans: Any) -> str:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}) + "\n"


def read(path: Path, content: str | bytes) -> Sessions:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_sessions([path])


def outline(session: StoredSession) -> list[tuple[int, str]]:
    return [(depth, span.name) for depth, span in session.walk()]


def show(found: Sessions) -> str:
    """Everything the command line can print of sessions."""
    screen = console(io.StringIO())
    with screen.capture() as captured:
        screen.print(session_table(found.sessions))
        for session in found.sessions:
            screen.print(session_tree(session, 80))
            json.dumps(document(session))
    return captured.get()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spans.jsonl"


def test_what_the_official_exporter_writes(file: Path) -> None:
    provider = TracerProvider()
    exporter = FileSpanExporter(path=file)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    attributes: dict[str, str | int] = {
        semconv.SESSION_ID: "the id",
        semconv.GEN_AI_OPERATION_NAME: "session",
        semconv.END_STATE: "error",
        semconv.END_REASON: "signal",
        semconv.EXIT_SIGNAL: "SIGTERM",
        semconv.USAGE_INPUT_TOKENS: 7,
        semconv.USAGE_OUTPUT_TOKENS: 0,
    }
    with tracer.start_as_current_span("session research", attributes=attributes, start_time=10**18) as parent:
        with tracer.start_as_current_span("chat gpt") as child:
            child.set_attributes({semconv.GEN_AI_USAGE_INPUT_TOKENS: 7, semconv.ERROR_TYPE: "TimeoutError"})
            child.set_status(StatusCode.ERROR)
        with tracer.start_as_current_span("old", attributes={"llm.token_count.completion": 5, "other": [1.5, 2.0]}):
            pass
        parent.end(end_time=10**18 + 2_500_000_000)
    provider.shutdown()

    found = read_sessions([file])

    assert found.damaged == 0
    (session,) = found.sessions
    assert (session.id, session.name, session.state, session.reason) == ("the id", "research", "error", "signal")
    assert (session.signal, session.input_tokens, session.output_tokens) == ("SIGTERM", 7, 0)
    assert (session.root.start, session.root.duration) == (10**18, 2.5)
    assert len(session) == 3
    (_, chat), (_, old) = session.walk()
    assert (chat.is_error, chat.error_type, chat.input_tokens, chat.output_tokens) == (True, "TimeoutError", 7, None)
    assert (old.is_error, old.output_tokens) == (False, 5)


def test_a_session_is_spread_over_lines_and_files(tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    first.write_text(line(span(3, parent=2)) + "\n" + line(span(2, parent=1)))
    second.write_text(line(root(), span(4, parent=1)))
    found = read_sessions([first, second])
    assert [outline(session) for session in found.sessions] == [[(1, "work"), (2, "work"), (1, "work")]]
    assert found.damaged == 0


def test_sessions_come_in_the_order_in_which_they_started(file: Path) -> None:
    spans = [root(number, str(number), trace=f"{number:032x}") for number in (2, 3, 1)]
    assert [session.id for session in read(file, line(*spans)).sessions] == ["1", "2", "3"]


def test_a_span_that_arrived_twice_counts_once(file: Path) -> None:
    (session,) = read(file, line(root(), span(2, parent=1)) * 2).sessions
    assert len(session) == 2


def test_spans_outside_of_sessions_are_none(file: Path) -> None:
    assert read(file, line(span(1), span(2, parent=1))) == Sessions([], 0)


def test_a_session_without_attributes_of_its_end(file: Path) -> None:
    (session,) = read(file, line(span(1, attributes={semconv.GEN_AI_OPERATION_NAME: "session"}))).sessions
    assert (session.id, session.state, session.reason) == (TRACE, "unknown", None)
    (session,) = read(file, line(root() | {"status": {"code": 2}})).sessions
    assert session.state == "error"


def test_a_missing_root_is_stood_for_by_the_outermost_span(file: Path) -> None:
    """The root of a killed session never arrives; that of an adopted one belongs to another instrumentation."""
    stamp = {semconv.SESSION_ID: "lost"}
    spans = [
        span(1, name="POST /"),
        span(3, parent=2, name="chat", attributes=stamp),
        span(2, parent=1, name="agent", attributes=stamp),
        span(4, parent=9, name="orphan", attributes=stamp),
    ]
    (session,) = read(file, line(*spans)).sessions
    assert (session.id, session.name, session.state) == ("lost", "agent", "unknown")
    assert outline(session) == [(1, "chat"), (1, "orphan")]


def test_two_sessions_in_one_trace_are_kept_apart(file: Path) -> None:
    stamped = span(3, parent=2, attributes={semconv.SESSION_ID: "b"})
    first, second = read(file, line(root(1, "a"), root(2, "b"), stamped)).sessions
    assert (first.id, len(first), second.id, len(second)) == ("a", 1, "b", 2)


def test_runs_of_agents_below_a_request_are_sessions_without_it(file: Path) -> None:
    def run(number: int, session_id: str) -> list[dict[str, Any]]:
        ids = {semconv.SESSION_ID: session_id}
        ended = ids | {semconv.GEN_AI_OPERATION_NAME: "invoke_agent", semconv.END_STATE: "success"}
        return [span(number + 1, number, "chat", attributes=ids), span(number, 1, "invoke_agent a", attributes=ended)]

    sessions = read(file, line(*run(2, "s"), *run(4, "t"), span(1, name="GET /"))).sessions
    assert [(one.id, one.name, one.state, len(one)) for one in sessions] == [
        ("s", "invoke_agent a", "success", 2),
        ("t", "invoke_agent a", "success", 2),
    ]


def test_orphans_hang_on_the_root(file: Path) -> None:
    spans = [root(), span(2, parent=1, name="a"), span(3, parent=99, name="orphan"), span(4, parent=3, name="its")]
    (session,) = read(file, line(*spans)).sessions
    assert outline(session) == [(1, "a"), (1, "orphan"), (2, "its")]


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param([root(), span(2, parent=2, name="a")], id="own parent"),
        pytest.param([root(), span(2, parent=3, name="a"), span(3, parent=2, name="b")], id="two"),
        pytest.param([root() | {"parentSpanId": f"{3:016x}"}, span(2, parent=1), span(3, parent=2)], id="with root"),
        pytest.param([root(), span(2, parent=4), span(3, parent=2), span(4, parent=3), span(5, parent=3)], id="tail"),
        pytest.param(
            [span(2, parent=3, attributes={"session.id": "s"}), span(3, parent=2, attributes={"session.id": "s"})],
            id="no root",
        ),
    ],
)
def test_cycles_end_and_lose_nothing(file: Path, spans: list[dict[str, Any]]) -> None:
    (session,) = read(file, line(*spans)).sessions
    ids = [session.root.span_id, *(span.span_id for _, span in session.walk())]
    assert sorted(ids) == sorted(span["spanId"] for span in spans)


def test_a_very_deep_session(file: Path) -> None:
    found = read(file, line(root(), *(span(number, parent=number - 1) for number in range(2, 5_000))))
    assert max(depth for depth, _ in found.sessions[0].walk()) == 4_998
    assert len(show(found).splitlines()) == 2 + 4_999


GOOD = line(root(), span(2, parent=1))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"not json\n", id="text"),
        pytest.param(b"\xff\xfe\x00\x00\n", id="binary"),
        pytest.param(b"123\n", id="number"),
        pytest.param(b'{"resourceSpans": 1}\n', id="no list"),
        pytest.param(b'{"resourceSpans": [{"scopeSpans": [7]}]}\n', id="no scope"),
        pytest.param(b"[" * 100_000 + b"\n", id="deep json"),
        pytest.param(line(span(3) | {"traceId": "xyz"}).encode(), id="no hex"),
        pytest.param(line(span(3) | {"traceId": "ab"}).encode(), id="short id"),
        pytest.param(line(span(3) | {"startTimeUnixNano": "soon"}).encode(), id="no number"),
        pytest.param(line(span(3) | {"startTimeUnixNano": 1.5}).encode(), id="fraction"),
        pytest.param(line(span(3) | {"name": ["a"]}).encode(), id="no text"),
        pytest.param(line(span(3) | {"attributes": [{"value": {"doubleValue": 10**400}}]}).encode(), id="overflow"),
        pytest.param(line(span(3) | {"status": {"code": 77}}).encode(), id="no status"),
    ],
)
def test_what_cannot_be_read_is_counted_and_skipped(file: Path, bad: bytes) -> None:
    found = read(file, GOOD.encode() + bad + line(span(4, parent=1)).encode())
    assert found.damaged == 1
    assert [len(session) for session in found.sessions] == [3]


def test_one_bad_span_does_not_cost_its_batch(file: Path) -> None:
    found = read(file, line(root(), None, {"spanId": 5}, span(2, parent=1)))
    assert found.damaged == 2
    assert [len(session) for session in found.sessions] == [2]


def test_lines_that_hold_no_spans_are_not_damaged(file: Path) -> None:
    found = read(file, '\n{"resourceLogs": []}\n{}\n{"resourceSpans": null}\n' + GOOD)
    assert (found.damaged, len(found.sessions)) == (0, 1)


def test_numbers_and_times_beyond_all_sense(file: Path) -> None:
    huge = {"key": semconv.USAGE_INPUT_TOKENS, "value": {"intValue": str(10**30)}}
    negative = {"key": semconv.USAGE_OUTPUT_TOKENS, "value": {"intValue": "-1"}}
    strange = root() | {"startTimeUnixNano": str(10**30), "endTimeUnixNano": "-5"}
    strange["attributes"] += [huge, negative]
    found = read(file, line(strange, span(2, parent=1) | {"endTimeUnixNano": "1"}))
    (session,) = found.sessions
    assert (session.root.start, session.root.duration, session.input_tokens, session.output_tokens) == (None,) * 4
    assert "?" in show(found)


def test_a_huge_line_is_skipped(file: Path) -> None:
    with file.open("w") as stream:
        stream.write(GOOD + '"' + "x" * (MAX_LINE + 10) + '"\n' + line(span(4, parent=1)))
    found = read_sessions([file])
    assert found.damaged == 1
    assert [len(session) for session in found.sessions] == [3]


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(GOOD)
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "secret")
    (tmp_path / "directory.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    paths = [*sorted(tmp_path.glob("*.jsonl")), tmp_path / "gone.jsonl"]
    assert read_sessions(paths) == Sessions([], 4)


@any_input
@given(st.binary(max_size=2_000))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    show(read(tmp_path / "any.jsonl", content))


@any_input
@given(st.integers(0, len(GOOD) * 2))
def test_any_truncation(tmp_path: Path, length: int) -> None:
    found = read(tmp_path / "cut.jsonl", (GOOD * 2)[:length])
    # Where the cut is at the end of a line, or just before its newline, nothing is damaged.
    assert found.damaged == (length % len(GOOD) not in (0, len(GOOD) - 1))
    assert len(found.sessions) == (length >= len(GOOD) - 1)


@any_input
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_any_changed_byte(tmp_path: Path, position: int, value: int) -> None:
    content = bytearray(GOOD.encode())
    content[position] = value
    show(read(tmp_path / "changed.jsonl", bytes(content) + line(root(9, "other", trace="f" * 32)).encode()))


_WORDS = """
resourceSpans scopeSpans spans traceId spanId parentSpanId name startTimeUnixNano endTimeUnixNano attributes status code
key value stringValue intValue doubleValue arrayValue kvlistValue values events links
"""
_KEYS = st.sampled_from(_WORDS.split())
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters())
    | st.sampled_from([TRACE, f"{1:016x}", f"{2:016x}", semconv.SESSION_ID, semconv.GEN_AI_OPERATION_NAME, "session"]),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(_KEYS, values, max_size=6),
    max_leaves=20,
)


@any_input
@given(_VALUES)
def test_any_json(tmp_path: Path, value: object) -> None:
    show(read(tmp_path / "any.jsonl", json.dumps(value)))


@any_input
@given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=4))
def test_any_change_of_spans(tmp_path: Path, changes: list[dict[str, Any]]) -> None:
    spans = [root(), *(span(number, parent=number - 1) | change for number, change in enumerate(changes, start=2))]
    found = read(tmp_path / "spans.jsonl", line(*spans))
    show(found)
    assert found.sessions


@any_input
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 9)), max_size=12))
def test_any_family_of_spans(tmp_path: Path, family: list[tuple[int, int]]) -> None:
    """Whoever is whose parent: every span is in the tree, once."""
    spans = [root(), *(span(number + 1, parent=parent) for number, parent in family)]
    (session,) = read(tmp_path / "spans.jsonl", line(*spans)).sessions
    ids = [session.root.span_id, *(span.span_id for _, span in session.walk())]
    assert sorted(ids) == sorted({span["spanId"] for span in spans})
