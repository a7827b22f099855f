"""A tool server of the Model Context Protocol, on stdin and stdout. With "stays" it does not end when stdin does."""

import sys
import threading
from typing import Any

from _setup import tracer
from mcp.server.mcpserver import Context, MCPServer

import agentops_otel as ao

server = MCPServer("tools")
kept: list[object] = []


def current_id() -> str:
    session = ao.current_session()
    return session.id if session is not None else "none"


@server.tool()
def look_up(word: str) -> str:
    with tracer.start_as_current_span(f"look up for {word}"):
        return current_id()


@server.tool()
async def look_up_async(word: str) -> str:
    with tracer.start_as_current_span(f"look up for {word}"):
        return current_id()


@server.tool()
def look_up_joined(word: str, ctx: Context) -> str:
    meta: Any = ctx.request_context.meta or {}
    with ao.join_session(meta), tracer.start_as_current_span(f"look up for {word}"):
        return current_id()


@server.tool()
def leaves_open(word: str) -> str:
    kept.extend([ao.start_session(f"left {word}"), tracer.start_span("left open")])
    return current_id()


if __name__ == "__main__":
    server.run("stdio")
    if "stays" in sys.argv:
        threading.Event().wait()
