"""What was found, on a terminal or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from ..text import clean
from .counterparts import Fate, Found
from .files import File, Skipped

_COLOURS = {Fate.AS_IS: "green", Fate.BY_HAND: "yellow", Fate.NONE: "red"}


def is_done(read: Sequence[File | Skipped]) -> bool:
    """Whether everything goes on when the imports are changed."""
    return all(isinstance(one, File) and one.is_done for one in read)


def document(read: Sequence[File | Skipped]) -> Mapping[str, object]:
    """Everything, for programs to read."""
    return {
        "files": [
            {
                "path": str(file.path),
                "found": [
                    {
                        "line": one.line,
                        "column": one.column,
                        "text": one.text,
                        "fate": one.becomes.fate.value,
                        "becomes": one.becomes.text,
                        "note": one.note,
                    }
                    for one in file.found
                ],
            }
            for file in read
            if isinstance(file, File)
        ],
        "skipped": [{"path": str(one.path), "reason": one.reason} for one in read if isinstance(one, Skipped)],
    }


def sections(read: Sequence[File | Skipped]) -> Iterator[Text | Table]:
    """A table for each file, and what it comes to."""
    files = [one for one in read if isinstance(one, File)]
    for file in files:
        yield Text(clean(str(file.path)), style="bold")
        yield _table(file.found)
    yield from skipped(read)
    fates = Counter(one.becomes.fate for file in files for one in file.found)
    counts = ", ".join(f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate])
    yield Text(f"{len(files)} {'file' if len(files) == 1 else 'files'}{': ' if counts else ''}{counts}")


def skipped(read: Sequence[File | Skipped]) -> Iterator[Text]:
    """A line for each file that was not read."""
    for one in read:
        if isinstance(one, Skipped):
            yield Text(f"not read: {clean(str(one.path))}: {clean(one.reason)}", style="yellow")


def _table(found: Sequence[Found]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(style="cyan", overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        fate = one.becomes.fate
        says = "; ".join(filter(None, (one.becomes.text, one.note)))
        table.add_row(str(one.line), Text(clean(one.text)), Text(fate.value, _COLOURS[fate]), Text(says))
    return table
