"""The commands of `agentops-otel` and their options."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import click

from .. import __version__
from .files import all_files, store_directory
from .run import run as run_program

Function = TypeVar("Function", bound=Callable[..., object])


class _ProgramCommand(click.Command):
    """A command whose own options end where the program begins: everything from there on is the program's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value = {
            name: not option.is_flag
            for option in self.get_params(ctx)
            if isinstance(option, click.Option)
            for name in option.opts
        }
        start = 0
        while start < len(args) and (name := args[start].partition("=")[0]) in takes_value:
            start += 2 if takes_value[name] and "=" not in args[start] else 1
        # Click takes a `--` for itself and would read on after `-m module`. Another `--` before the program has it
        # leave all of that alone; any other option is left to it to complain about.
        own, program = args[:start], args[start:]
        if program and (not program[0].startswith("-") or program[0] in ("-", "--") or program[0][:2] in ("-m", "-c")):
            own.append("--")
        return super().parse_args(ctx, own + program)


def _store_option(function: Function) -> Function:
    return click.option(
        "--store",
        type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
        metavar="DIR",
        help="Where sessions are stored [default: OTEL_PYTHON_AGENTOPS_STORE, else the user's state directory].",
    )(function)


_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
@click.version_option(__version__)
def cli() -> None:
    """Agent sessions on OpenTelemetry."""


@cli.command(cls=_ProgramCommand)
@_store_option
@click.option("--service-name", metavar="NAME", help="Name of the service [default: the program's name].")
@click.option("--quiet", is_flag=True, help="Do not print the sessions at the end.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="PROGRAM [ARGS]...")
def run(program: tuple[str, ...], store: Path | None, service_name: str | None, quiet: bool) -> None:
    """Run a program with sessions recorded, its code untouched.

    PROGRAM is the path of a Python script, `-m MODULE`, `-c CODE`, or `-- COMMAND` for anything else.

    Sessions are exported to the OTLP endpoint in the environment (OTEL_EXPORTER_OTLP_ENDPOINT). Where there is none,
    they are stored on this machine and printed on stderr when the program has ended.

    Signals are passed on to the program, and the exit status is the program's.
    """
    if program == ("--",):
        raise click.UsageError("no command after --")
    run_program(program, store=store, service_name=service_name, quiet=quiet)


@cli.command()
@_store_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show at most so many.")
@_json_option
def sessions(store: Path | None, limit: int | None, as_json: bool) -> None:
    """List stored sessions, the newest first."""
    from .document import summary
    from .read import read_sessions
    from .table import session_table
    from .text import console, damage

    directory = store or store_directory()
    found = read_sessions(all_files(directory))
    newest = found.sessions[::-1][:limit]
    if as_json:
        click.echo(json.dumps([summary(session) for session in newest], indent=2))
    elif newest:
        console(sys.stdout).print(session_table(newest))
    else:
        click.echo(f"No sessions in {directory} yet: agentops-otel run PROGRAM stores some.")
    if found.damaged:
        click.echo(damage(found.damaged), err=True)


@cli.command()
@click.argument("session_id", metavar="ID")
@_store_option
@_json_option
def show(session_id: str, store: Path | None, as_json: bool) -> None:
    """Print a stored session as a tree. The beginning of its ID is enough."""
    from .document import document
    from .read import read_sessions
    from .text import clean, console, damage
    from .tree import session_tree

    directory = store or store_directory()
    found = read_sessions(all_files(directory))
    # The list shortens ids in a narrow terminal.
    prefix = session_id.rstrip("…")
    matching = [session for session in found.sessions if session.id.startswith(prefix)]
    exact = [session for session in matching if session.id == session_id]
    ids = sorted({session.id for session in exact or matching})
    if not ids:
        raise click.ClickException(f"no session {session_id} in {directory}")
    if len(ids) > 1:
        raise click.ClickException(f"{session_id} is the beginning of {len(ids)} ids: {', '.join(map(clean, ids[:5]))}")
    screen = console(sys.stdout)
    for session in exact or matching:
        if as_json:
            click.echo(json.dumps(document(session), indent=2))
        else:
            screen.print(session_tree(session, screen.width))
    if found.damaged:
        click.echo(damage(found.damaged), err=True)


@cli.command()
@click.argument(
    "directory", required=False, type=click.Path(file_okay=False, path_type=Path, resolve_path=True), metavar="[DIR]"
)
@_json_option
def recover(directory: Path | None, as_json: bool) -> None:
    """Send what processes that are gone have left in their journals, and end the sessions they left open.

    DIR is where the journals are [default: OTEL_PYTHON_AGENTOPS_JOURNAL, else the user's state directory]. It is sent
    where OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_ENDPOINT say. The status is 1 if something could not be sent: it
    stays there.
    """
    from .journals import anybody_is_dead, journal_directory
    from .text import damage

    where = directory or journal_directory()
    found = []
    if anybody_is_dead(where):
        from .recover import recover_all

        found = recover_all(where)
    if as_json:
        click.echo(json.dumps([asdict(summary) for summary in found], indent=2))
    elif not found:
        click.echo(f"Nothing to recover in {where}.")
    for summary in () if as_json else found:
        click.echo(
            f"process {summary.pid}: {summary.sessions} open sessions, {summary.spans} spans to send: "
            f"{summary.sent} sent, {summary.refused} refused, {summary.left} left"
        )
    for summary in found:
        if summary.damaged:
            click.echo(damage(summary.damaged), err=True)
        if summary.problem:
            click.echo(f"not read: {summary.problem}", err=True)
    if any(summary.left for summary in found):
        sys.exit(1)


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@click.option("--diff", "as_diff", is_flag=True, help="Print the change of the imports, as a unified diff.")
@_json_option
def migrate(paths: tuple[Path, ...], as_diff: bool, as_json: bool) -> None:
    """Tell what becomes of the calls of the AgentOps SDK in Python files. Changes nothing.

    PATH is a file or a directory, which is read with all below it, without virtual environments, installed packages
    and hidden directories. Each call is told by its line: "as is", it goes on when the imports are changed as --diff
    says; "by hand", something else has to be written in its place; or it has "no counterpart".

    The diff is for `git apply` or `patch -p1` in this directory. The status is 0 if everything goes on when the
    imports are changed, and 1 if something does not, or could not be read.
    """
    from .migration.files import File, read
    from .migration.report import document, is_done, sections, skipped
    from .text import console

    if as_diff and as_json:
        raise click.UsageError("--diff and --json are two ways to print it: choose one")
    found = list(read(list(paths)))
    if as_diff:
        for file in found:
            if isinstance(file, File):
                click.echo(file.diff(), nl=False)
        errors = console(sys.stderr)
        for line in skipped(found):
            errors.print(line)
    elif as_json:
        click.echo(json.dumps(document(found), indent=2))
    else:
        screen = console(sys.stdout)
        for section in sections(found):
            screen.print(section)
    if not is_done(found):
        sys.exit(1)


@cli.command()
@_json_option
def doctor(as_json: bool) -> None:
    """Tell what is attached to programs that `agentops-otel run` starts here, what is not and why, and the settings.

    The status is 1 if something is wrong that loses data.
    """
    from .doctor import document, show
    from .examine import examine
    from .text import console

    report = examine(os.environ)
    if as_json:
        click.echo(json.dumps(document(report), indent=2))
    else:
        show(report, console(sys.stdout))
    if report.problems:
        sys.exit(1)
