"""Ctrl-C while a session is open."""

import asyncio
import sys
import threading

import _fresh_signals  # noqa: F401
from _setup import open_spans

import agentops_otel as ao


async def in_block() -> None:
    with ao.session("agent"):
        # When the task waits: before Python 3.11 the signal interrupts whatever is running.
        asyncio.get_running_loop().call_soon(print, "ready")
        await asyncio.Event().wait()


async def wait() -> None:
    print("ready")
    await asyncio.Event().wait()


if sys.argv[1] == "in_block":
    with ao.session("agent"):
        spans = open_spans()
        print("ready")
        threading.Event().wait()
elif sys.argv[1] == "asyncio_in_block":
    asyncio.run(in_block())
session = ao.start_session("agent")
spans = open_spans()
if sys.argv[1] == "asyncio":
    asyncio.run(wait())
print("ready")
threading.Event().wait()
