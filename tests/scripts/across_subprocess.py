"""A program starts others, in a session and afterwards; argv: how, with which environment, what the first one does."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _setup import tracer

import agentops_otel as ao

how, which, *what = sys.argv[1:]
CHILD = [sys.executable, str(Path(__file__).with_name("across_child.py"))]
ENVIRONMENTS: dict[str, Mapping[Any, Any] | None] = {
    "inherited": None,
    "given": {**os.environ, "NAME": "in the child"},
    "of_bytes": {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()},
    "with_its_own": {**os.environ, "TRACEPARENT": f"00-{'a' * 32}-{'b' * 16}-01"},
}
env = ENVIRONMENTS[which]


async def start() -> None:
    process = await asyncio.create_subprocess_exec(*CHILD, *what, env=env)
    assert await process.wait() == 0


with ao.session("agent", id="s-1", conversation_id="c-1", user_id="u-1"):
    with tracer.start_as_current_span("step"):
        if how == "run":
            subprocess.run([*CHILD, *what], env=env, check=True)
        elif how == "shell":
            subprocess.run(subprocess.list2cmdline([*CHILD, *what]), env=env, check=True, shell=True)
        elif how == "by_position":
            after_the_program: tuple[Any, ...] = (-1, None, None, None, None, None, True, False, None, env)
            with subprocess.Popen([*CHILD, *what], *after_the_program) as process:
                assert process.wait() == 0
        elif how == "fails":
            try:
                subprocess.run(["/does/not/exist"], env=env, check=True)
            except FileNotFoundError as error:
                print(error.filename)
        else:
            asyncio.run(start())
        if env is not None:
            assert ("TRACEPARENT" in env) == (which == "with_its_own")
subprocess.run(CHILD, check=True, env={**os.environ, "NAME": "after"})
