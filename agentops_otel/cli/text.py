"""How things are written on a terminal: times, tokens, and text that comes from somewhere else."""

from __future__ import annotations

import io
from datetime import datetime
from typing import TextIO

from rich.console import Console

WIDE = 2000
"""Columns of output that is not a terminal: nobody folds or cuts what a program will read."""

MAX_TEXT = 200
"""Characters of a name that are shown, so that no line of a tree is longer than `WIDE`."""


def console(stream: TextIO) -> Console:
    """A console on a stream, which interprets nothing in what it prints."""
    if isinstance(stream, io.TextIOWrapper):
        # A stream that cannot say "é" says "\\xe9" instead of failing.
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def clean(text: str) -> str:
    """One line without anything that steers a terminal: such characters are shown as escapes."""
    beginning = text[: MAX_TEXT + 1]
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in beginning
    )
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.00995 else 0}f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def tokens(input_tokens: int | None, output_tokens: int | None) -> str:
    """Nothing where no tokens are known."""
    counts = [f"{input_tokens} in"] if input_tokens is not None else []
    counts += [f"{output_tokens} out"] if output_tokens is not None else []
    return f"{' / '.join(counts)} tokens" if counts else ""


def moment(nanoseconds: int | None) -> str:
    """A time, as a clock on this machine shows it."""
    return f"{datetime.fromtimestamp(nanoseconds // 10**9):%Y-%m-%d %H:%M:%S}" if nanoseconds else "?"


def damage(count: int) -> str:
    return f"{count} damaged {'entry' if count == 1 else 'entries'} skipped."
