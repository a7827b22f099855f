"""One session as a tree of its spans."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from .read import StoredSession, StoredSpan
from .text import clean, duration, tokens

_COLOURS = {"success": "green", "error": "red"}


_GUIDE = 4
"""Columns that each level of a tree takes."""


def session_tree(session: StoredSession, columns: int) -> Tree:
    """The session and its spans with durations, tokens and how they ended, for so many columns."""
    # A tree may be deeper than a terminal is wide: half of it is for what the lines say, and what is deeper than
    # the other half allows hangs on the deepest level there is.
    deepest = max(1, columns // 2 // _GUIDE)
    tree = Tree(_session_line(session), guide_style="dim")
    branches = [tree]
    for depth, span in session.walk():
        del branches[min(depth, deepest) :]
        branches.append(branches[-1].add(_span_line(span)))
    return tree


def _session_line(session: StoredSession) -> Text:
    return _joined(
        Text(clean(session.name), style="bold"),
        state(session),
        Text(reason(session)),
        Text(duration(session.root.duration)),
        Text(tokens(session.input_tokens, session.output_tokens)),
        Text(clean(session.id), style="cyan"),
    )


def state(session: StoredSession) -> Text:
    return Text(clean(session.state), style=_COLOURS.get(session.state, "yellow"))


def reason(session: StoredSession) -> str:
    """The end reason with what is known about it: the signal, the type of the error."""
    detail = session.signal or session.root.error_type
    return " ".join(clean(word) for word in (session.reason, detail) if word)


def _span_line(span: StoredSpan) -> Text:
    error = f"ERROR {clean(span.error_type or '')}".rstrip() if span.is_error else ""
    ended = f"ended: {clean(span.end_reason)}" if span.end_reason else ""
    return _joined(
        Text(clean(span.name)),
        Text(duration(span.duration), style="dim"),
        Text(tokens(span.input_tokens, span.output_tokens), style="dim"),
        Text(error, style="red"),
        Text(ended, style="yellow"),
    )


def _joined(*parts: Text) -> Text:
    return Text("  ").join(part for part in parts if part.plain)
