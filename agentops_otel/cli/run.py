"""`agentops-otel run`: starts a program with the package set up and stays until it has ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..environment_variables import OTEL_PYTHON_AGENTOPS_RUN_ID, OTEL_PYTHON_AGENTOPS_STORE
from ..shield import Shield
from . import environment as env
from .files import new_run_id, prune, run_files, store_directory
from .program import Program
from .supervise import end_like, supervise

MAX_TREES = 100
"""So many sessions are printed at the end, the last ones."""

MAX_BYTES = 64 * 1024 * 1024
"""A run that stored more than this prints no sessions: its exit would have to wait for them."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses for a program that could not be started, as shells have them."""


def run(words: Sequence[str], *, store: Path | None, service_name: str | None, quiet: bool) -> NoReturn:
    """Runs a program and ends as it ended. Stored sessions are printed on stderr: stdout is the program's."""
    _leave_instrumentation()
    directory = store or store_directory()
    run_id = new_run_id()
    try:
        program = Program.parse(words)
        environment = dict(os.environ)
        env.instrument(environment, working_directory=program.is_command)
        env.name_service(environment, service_name, program.name)
        stored = env.choose_exporters(environment)
        if stored:
            environment[OTEL_PYTHON_AGENTOPS_STORE] = str(directory)
            environment[OTEL_PYTHON_AGENTOPS_RUN_ID] = run_id
            prune(directory)
        returncode = supervise(program.argv, environment)
    except OSError as error:
        _say(f"agentops-otel: {error.filename}: {error.strerror}")
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)
    if stored and not quiet and sys.stderr is not None:
        with Shield("printing the sessions"):
            _say(_report(directory, run_id))
    end_like(returncode)


def _leave_instrumentation() -> None:
    """Starts this process again where it was started by an instrumented program and is instrumented itself.

    A supervisor has no telemetry, and the threads and signal handlers of it would take signals away.
    """
    plain = env.without_instrumentation(os.environ)
    if plain is not None:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], plain)


def _report(directory: Path, run_id: str) -> str:
    """The sessions of a run as trees."""
    # Imported late: the program starts sooner, and most of its life the supervisor is smaller.
    from .read import read_sessions
    from .text import console, damage
    from .tree import session_tree

    files = run_files(directory, run_id)
    size = sum(file.stat().st_size for file in files)
    if size > MAX_BYTES:
        return f"{size >> 20} MiB of sessions are stored in {directory}: agentops-otel sessions"
    found = read_sessions(files)
    screen = console(sys.stderr)
    with screen.capture() as captured:
        if not found.sessions:
            screen.print("No session was recorded.")
        if len(found.sessions) > MAX_TREES:
            screen.print(f"The last {MAX_TREES} of {len(found.sessions)} sessions:")
        for session in found.sessions[-MAX_TREES:]:
            screen.print(session_tree(session, screen.width))
        if found.damaged:
            screen.print(damage(found.damaged))
    return captured.get().rstrip("\n")


def _say(text: str) -> None:
    # A stream that nobody reads any more must not change how the program seems to have ended, neither now nor when
    # the interpreter tries to write what is left, at its exit.
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
