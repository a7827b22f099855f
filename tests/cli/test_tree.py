"""What sessions look like on a terminal and in a pipe."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator

import pytest
from rich.console import Console, RenderableType

from agentops_otel import semconv
from agentops_otel.cli.document import document, summary
from agentops_otel.cli.read import StoredSession, StoredSpan
from agentops_otel.cli.table import session_table
from agentops_otel.cli.text import clean, console, duration, tokens
from agentops_otel.cli.tree import session_tree

START = 1_700_000_000_000_000_000
ID = "6f1c0d2b9a8e4f7d8c3b2a1908f7e6d5"


Attributes = dict[str, str | int]


def span(
    number: int, name: str, seconds: float | None = 1.0, attributes: Attributes | None = None, *, is_error: bool = False
) -> StoredSpan:
    end = None if seconds is None else START + round(seconds * 1e9)
    return StoredSpan("a" * 32, str(number), "", name, START, end, is_error, attributes or {})


def session(
    name: str = "session research",
    children: dict[str, list[StoredSpan]] | None = None,
    attributes: Attributes | None = None,
    *,
    seconds: float | None = 1.0,
    is_error: bool = False,
) -> StoredSession:
    stamped = {semconv.SESSION_ID: ID, **(attributes or {})}
    return StoredSession(span(0, name, seconds, stamped, is_error=is_error), children or {})


def end(state: str, reason: str) -> Attributes:
    return {semconv.END_STATE: state, semconv.END_REASON: reason}


def used(input_tokens: int | None, output_tokens: int | None) -> Attributes:
    counts = {semconv.GEN_AI_USAGE_INPUT_TOKENS: input_tokens, semconv.GEN_AI_USAGE_OUTPUT_TOKENS: output_tokens}
    return {name: count for name, count in counts.items() if count is not None}


def plain(renderable: RenderableType) -> str:
    """As it looks in a pipe."""
    stream = io.StringIO()
    console(stream).print(renderable)
    assert "\x1b" not in stream.getvalue()
    return "\n".join(text.rstrip() for text in stream.getvalue().splitlines())


def tree(session: StoredSession) -> str:
    return plain(session_tree(session, 1000))


def test_a_whole_session() -> None:
    children = {
        "0": [span(1, "invoke_agent planner", 83), span(2, "chat gpt-5", 0.0124, used(None, 4))],
        "1": [
            span(3, "chat gpt-5", 1.25, used(110, 20)),
            span(4, "execute_tool search", 0.3, {semconv.ERROR_TYPE: "ValueError"}, is_error=True),
            span(5, "execute_tool read", None, is_error=True),
        ],
    }
    totals: Attributes = {semconv.USAGE_INPUT_TOKENS: 120, semconv.USAGE_OUTPUT_TOKENS: 30}
    assert tree(session(children=children, seconds=3725, attributes=end("success", "completed") | totals)) == (
        f"research  success  completed  1 h 02 min  120 in / 30 out tokens  {ID}\n"
        "├── invoke_agent planner  1 min 23 s\n"
        "│   ├── chat gpt-5  1.2 s  110 in / 20 out tokens\n"
        "│   ├── execute_tool search  300 ms  ERROR ValueError\n"
        "│   └── execute_tool read  ?  ERROR\n"
        "└── chat gpt-5  12 ms  4 out tokens"
    )


def test_a_session_that_a_signal_ended() -> None:
    attributes = end("unknown", "signal") | {semconv.EXIT_SIGNAL: "SIGTERM"}
    child = span(1, "chat gpt-5", attributes={semconv.END_REASON: "signal"})
    assert tree(session(children={"0": [child]}, attributes=attributes)) == (
        f"research  unknown  signal SIGTERM  1.0 s  {ID}\n└── chat gpt-5  1.0 s  ended: signal"
    )


def test_a_session_that_an_exception_ended() -> None:
    attributes = end("error", "exception") | {semconv.ERROR_TYPE: "ValueError"}
    expected = f"research  error  exception ValueError  1.0 s  {ID}"
    assert tree(session(attributes=attributes, is_error=True)) == expected


def test_a_session_of_which_little_is_known() -> None:
    assert tree(session("invoke_agent planner", seconds=None)) == f"invoke_agent planner  unknown  ?  {ID}"


@pytest.mark.parametrize(
    ("state", "colour"), [("success", "32"), ("error", "31"), ("unknown", "33"), ("nobody knows this one", "33")]
)
def test_the_colour_of_the_state(state: str, colour: str) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200, _environ={})
    with screen.capture() as captured:
        screen.print(session_tree(session(attributes=end(state, "completed")), 200))
    assert f"\x1b[{colour}m{state}\x1b[0m" in captured.get()


HOSTILE = [
    pytest.param("[bold]x[/bold] [link=a]y[/] :smile:", "[bold]x[/bold] [link=a]y[/] :smile:", id="markup"),
    pytest.param("[/]", "[/]", id="closing tag"),
    pytest.param("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07", id="escape sequences"),
    pytest.param("one\ntwo\rthree\tfour", r"one\ntwo\rthree\tfour", id="lines"),
    pytest.param("\u009b31m", r"\x9b31m", id="8-bit control"),
    pytest.param("\u202eabc\u2028\u200b", r"\u202eabc\u2028\u200b", id="directions"),
    pytest.param("\ud800", r"\ud800", id="surrogate"),
    pytest.param("日本 é 🙂", "日本 é 🙂", id="other languages"),
    pytest.param("x" * 300, "x" * 199 + "…", id="long"),
    pytest.param("\x00" * 300, ("\\x00" * 50)[:199] + "…", id="long escapes"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_text_from_elsewhere_does_not_steer_the_terminal(text: str, shown: str) -> None:
    assert clean(text) == shown
    child = span(1, text, attributes={semconv.ERROR_TYPE: text, semconv.END_REASON: text}, is_error=True)
    attributes = end(text, text) | {semconv.EXIT_SIGNAL: text, semconv.SESSION_ID: text}
    hostile = session(text, {"0": [child]}, attributes)
    first, second = tree(hostile).splitlines()
    assert first == f"{shown}  {shown}  {shown} {shown}  1.0 s  {shown}"
    assert second == f"└── {shown}  1.0 s  ERROR {shown}  ended: {shown}"
    assert plain(session_table([hostile])).splitlines()[1].count(shown) == 5
    assert json.dumps(document(hostile)).isprintable()


def test_a_stream_for_ascii_only() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console(stream).print(session_tree(session("session é", {"0": [span(1, "ü")]}), 80))
    stream.flush()
    assert raw.getvalue().decode() == f"\\xe9  unknown  1.0 s  {ID}\n`-- \\xfc  1.0 s\n"


def test_a_tree_deeper_than_the_terminal_is_wide() -> None:
    chain = {str(number): [span(number + 1, f"level {number + 1}")] for number in range(40)}
    lines = plain(session_tree(session(children=chain), 80)).splitlines()
    assert len(lines) == 41
    assert lines[10] == " " * 36 + "├── level 10  1.0 s"
    assert lines[40] == " " * 36 + "└── level 40  1.0 s"


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("utc")
def test_the_table() -> None:
    sessions = [
        session("session first", attributes=end("success", "completed")),
        session("session second", {"0": [span(1, "a"), span(2, "b")]}, end("error", "exception"), seconds=0.25),
    ]
    header, first, second = plain(session_table(sessions)).splitlines()
    assert header.split() == ["id", "name", "state", "reason", "started", "duration", "spans"]
    assert first.split() == [ID, "first", "success", "completed", "2023-11-14", "22:13:20", "1.0", "s", "1"]
    assert second.split() == [ID, "second", "error", "exception", "2023-11-14", "22:13:20", "250", "ms", "3"]


def test_the_table_in_a_narrow_terminal_keeps_the_beginnings_of_ids() -> None:
    screen = Console(file=io.StringIO(), width=80)
    with screen.capture() as captured:
        screen.print(session_table([session(attributes=end("unknown", "signal"))]))
    assert captured.get().splitlines()[1].startswith(ID[:8])


def test_json() -> None:
    one = session(children={"0": [span(1, "chat", attributes=used(3, None))]}, attributes=end("success", "completed"))
    assert summary(one) == {
        "id": ID,
        "name": "research",
        "state": "success",
        "reason": "completed",
        "signal": None,
        "start_time_unix_nano": START,
        "duration": 1.0,
        "input_tokens": None,
        "output_tokens": None,
        "error_type": None,
        "trace_id": "a" * 32,
        "span_count": 2,
    }
    spans = document(one)["spans"]
    assert isinstance(spans, list)
    assert [(span["name"], span["input_tokens"]) for span in spans] == [("session research", None), ("chat", 3)]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "?"),
        (0.0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.0099, "9.9 ms"),
        (0.00999, "10 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (400_000, "111 h 06 min"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [((None, None), ""), ((0, None), "0 in tokens"), ((None, 2), "2 out tokens"), ((1, 2), "1 in / 2 out tokens")],
)
def test_tokens(count: tuple[int | None, int | None], shown: str) -> None:
    assert tokens(*count) == shown
