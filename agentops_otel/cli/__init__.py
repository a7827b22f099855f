"""The command line: starts programs with the package set up, and shows what was stored.

commands.py     the commands and their options
run.py          `run`: a program, with the package set up, until it ends
program.py      which program: a script, a module, code, a command
environment.py  the variables that set a program up without touching its code
supervise.py    the child process: signals on the way in, exit status on the way out
journals.py     where the journals of programs are
recover.py      sends what dead processes left in them
files.py        where stored sessions are, how their files are named, how many are kept
store.py        the span exporter that writes them
read.py         stored sessions, back from their files
tree.py         a session as a tree; table.py: many as a table; document.py: either as JSON
migration/      `migrate`: what becomes of the calls of the AgentOps SDK in a program
examine.py      what a program here would get: instrumentations, settings, problems
settings.py     the settings and where they come from, without secrets
doctor.py       that, on a terminal
text.py         how times, tokens and foreign text are written on a terminal
"""

from __future__ import annotations

import sys

_EXTRA = ("click", "rich", "platformdirs", "opentelemetry")


def main() -> None:
    """Entry point of the `agentops-otel` command."""
    # The exporter in this package is also imported by programs that are being watched, and the libraries of the
    # command line are an extra.
    try:
        from .commands import cli

        cli(prog_name="agentops-otel")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print("agentops-otel needs its command-line extra: pip install 'agentops-otel-sessions[cli]'", file=sys.stderr)
        sys.exit(2)
