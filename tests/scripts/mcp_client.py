"""Starts mcp_server.py, calls a tool of it in a session and once more in another, and writes what the calls return.

Arguments: the tool, how the session gets to it ("env", "meta", or by "itself"), and arguments for the server.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from _setup import tracer
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

import agentops_otel as ao


def server(arguments: "tuple[str, ...]", env: "dict[str, str]") -> StdioServerParameters:
    # Of this program's environment the server gets next to nothing by itself.
    passed = {name: value for name, value in os.environ.items() if name.startswith(("OTEL_", "AGENTOPS_", "PYTHON"))}
    program = str(Path(__file__).with_name("mcp_server.py"))
    return StdioServerParameters(command=sys.executable, args=[program, *arguments], env=passed | env)


async def call(client: Client, tool: str, session: ao.Session, how: str) -> None:
    meta: Any = session.carrier() if how == "meta" else {}
    with tracer.start_as_current_span(f"step {session.id}"):
        result = await client.call_tool(tool, {"word": session.id}, meta=meta)
    [content] = result.content
    assert isinstance(content, TextContent)
    print(content.text, flush=True)


async def main(tool: str, how: str, *arguments: str) -> None:
    if how == "env":
        ao.configure(propagation=False)  # or it would be there without us
    async with ao.session("first", id="s-1", conversation_id="c-1", user_id="u-1") as first:
        env = {name.upper(): value for name, value in first.carrier().items()} if how == "env" else {}
        client = Client(server(arguments, env))
        await client.__aenter__()
        await call(client, tool, first, how)
    async with ao.session("second", id="s-2", conversation_id="c-2", user_id="u-2") as second:
        await call(client, tool, second, how)
    await client.__aexit__(None, None, None)


asyncio.run(main(*sys.argv[1:]))
