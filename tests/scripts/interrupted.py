"""Ctrl-C while a session is open."""

import asyncio
import signal
import sys
import threading

from _setup import open_spans

import agentops_otel as ao

# A shell starts background jobs, and the tests may be one, with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


async def in_block() -> None:
    with ao.session("agent"):
        print("ready")
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
