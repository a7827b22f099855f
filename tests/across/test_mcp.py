"""Tool servers of the Model Context Protocol, with the real package: a server on stdio in a process of its own.

mcp 2 sends the trace and the baggage along with every call (``params._meta``) and reads them; `OTEL_PROPAGATORS` with
the value "none" switches that off.
"""

from __future__ import annotations

import signal

import pytest
from support.deaths import COMPLETED, PROCESS_EXIT, Death, Deaths, End, signalled
from support.otlp import Span

pytest.importorskip("mcp.server.mcpserver", reason="needs mcp 2")

ALL_IDS = ("session.id", "gen_ai.conversation.id", "user.id")
OF_REQUESTS = ALL_IDS[:2]
"""What goes along with requests."""

FIRST, SECOND = ("s-1", "c-1", "u-1"), ("s-2", "c-2", "u-2")
SILENT = {"OTEL_PROPAGATORS": "none"}


def ids(span: Span) -> tuple[str | None, ...]:
    return tuple(span.attributes.get(name) for name in ALL_IDS)


def calls(died: Death) -> list[Span]:
    """The spans of mcp for the calls, as the server saw them."""
    return [span for span in died.receiver.spans if span.name.startswith("tools/call")]


@pytest.mark.parametrize("tool", ["look_up", "look_up_async"])
def test_what_a_tool_does_belongs_to_the_session_it_is_called_in(deaths: Deaths, tool: str) -> None:
    died = deaths.run("mcp_client", tool, "itself")
    assert died.quiet == (0, "")
    assert died.stdout == "s-1\ns-2\n"
    sent = [span for span in died.receiver.spans if span.name.startswith("MCP send tools/call")]
    for name, of, sending, call in zip(("first", "second"), (FIRST, SECOND), sent, calls(died), strict=True):
        root = died.session(COMPLETED, name=name)
        look_up = died.span(f"look up for {of[0]}")
        assert (ids(root), ids(call), ids(look_up)) == (of, (*of[:2], None), (*of[:2], None))
        assert (look_up.parent_id, call.parent_id) == (call.span_id, sending.span_id)
        assert sending.parent_id == died.span(f"step {of[0]}").span_id


@pytest.mark.parametrize("how", ["itself", "env"])
def test_a_server_belongs_to_the_session_that_starts_it(deaths: Deaths, how: str) -> None:
    died = deaths.run("mcp_client", "look_up", how, env=SILENT)
    assert died.quiet == (0, "")
    assert died.stdout == "s-1\ns-1\n"
    first = died.session(COMPLETED, name="first")
    for call, look_up in zip(calls(died), (died.span("look up for s-1"), died.span("look up for s-2")), strict=True):
        assert (ids(call), ids(look_up)) == (FIRST, FIRST)
        assert (look_up.parent_id, call.parent_id) == (call.span_id, first.span_id)


def test_a_tool_can_join_the_session_of_the_call_itself(deaths: Deaths) -> None:
    died = deaths.run("mcp_client", "look_up_joined", "meta", env=SILENT)
    assert died.quiet == (0, "")
    assert died.stdout == "s-1\ns-2\n"
    for name, of in (("first", FIRST), ("second", SECOND)):
        look_up = died.span(f"look up for {of[0]}")
        assert ids(look_up) == of
        assert look_up.parent_id == died.session(COMPLETED, name=name).span_id


@pytest.mark.parametrize(
    ("arguments", "end"),
    [((), PROCESS_EXIT), (("stays",), signalled(signal.SIGTERM))],
    ids=["ends with its stdin", "is terminated"],
)
def test_what_a_server_has_open_when_the_client_stops_it_arrives(
    deaths: Deaths, arguments: tuple[str, ...], end: End
) -> None:
    died = deaths.run("mcp_client", "leaves_open", "itself", *arguments)
    assert died.quiet == (0, "")
    lefts = died.stdout.split()
    for name, left in zip(("s-1", "s-2"), lefts, strict=True):
        root = died.session(end, name=f"left {name}", open_spans=["left open"])
        assert root.attributes["session.id"] == left
    assert len(calls(died)) == 2
