"""`agentops-otel run`: starts a program with the package set up and stays until it has ended.

Then what the program could not send, because it was killed or its collector was away, is sent from its journals, before
the sessions are printed. Which processes count as the program:

* What it became by exec. The sessions that were open then are lost; the exit status is that of what it became.
* What it forked or started is of the same run, and what of these is dead at the end is recovered too. But nobody knows
  how these ended: no signal and no exit status is written on their sessions.
* What lives on when the program has ended, a daemon for example, keeps its sessions and its journal. It is not waited
  for. If it is killed later, the next process that uses the directory recovers it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..config import Config
from ..environment_variables import OTEL_PYTHON_AGENTOPS_RUN_ID, OTEL_PYTHON_AGENTOPS_STORE
from ..shield import Shield
from . import environment as env
from .files import new_run_id, prune, run_files, store_directory
from .program import Program
from .supervise import end_like, supervise

if TYPE_CHECKING:
    from ..journal.recovery import Summary

MAX_TREES = 100
"""So many sessions are printed at the end, the last ones."""

MAX_BYTES = 64 * 1024 * 1024
"""A run that stored more than this prints no sessions: its exit would have to wait for them."""

_RECOVERING = Shield("recovering the sessions of the program", on_own_thread=True)

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
        env.choose_distro(environment)
        env.name_service(environment, service_name, program.name)
        stored = env.choose_exporters(environment)
        environment[OTEL_PYTHON_AGENTOPS_RUN_ID] = run_id
        if stored:
            environment[OTEL_PYTHON_AGENTOPS_STORE] = str(directory)
            prune(directory)
        pids: list[int] = []
        returncode = supervise(program.argv, environment, pids.append)
    except OSError as error:
        _say(f"agentops-otel: {error.filename}: {error.strerror}")
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)
    is_over = True
    with _RECOVERING:
        is_over = _recover(run_id, pids[0], returncode, environment)
    if stored and not quiet and sys.stderr is not None:
        with Shield("printing the sessions"):
            _say(_report(directory, run_id))
    end_like(returncode, at_once=not is_over)


def _leave_instrumentation() -> None:
    """Starts this process again where it was started by an instrumented program and is instrumented itself.

    A supervisor has no telemetry, and the threads and signal handlers of it would take signals away.
    """
    plain = env.without_instrumentation(os.environ)
    if plain is not None:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], plain)


def _recover(run_id: str, pid: int, returncode: int, environment: Mapping[str, str]) -> bool:
    """Sends what the program has left, in the time that its exit could have taken for it; false if that was over."""
    from .journals import anybody_is_dead, journal_directory

    directory = journal_directory()
    settings = Config.from_environment()
    if not settings.journal or not anybody_is_dead(directory):
        return True
    # The exporters read it.
    os.environ.update({name: text for name, text in environment.items() if name.startswith("OTEL_")})
    from .recover import Child, recover_run

    found: list[Summary] = []

    def recover() -> None:
        with _RECOVERING:
            found.extend(recover_run(directory, Child(run_id, pid, returncode), environment))

    thread = threading.Thread(target=recover, name="agentops-otel-recovery", daemon=True)
    thread.start()
    thread.join(settings.exit_timeout)
    is_over = not thread.is_alive()
    if (not is_over or any(summary.left for summary in found)) and sys.stderr is not None:
        _say(f"agentops-otel: not everything could be sent; it stays in {directory}: agentops-otel recover")
    return is_over


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
