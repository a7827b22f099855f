"""Captured sessions as text, for people who read why a test failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import semconv

if TYPE_CHECKING:
    from .captured import CapturedScore, CapturedSession, CapturedSpan


def lines_of_session(session: CapturedSession) -> Iterator[str]:
    """The session, what is known of it, and its spans."""
    ended = "/".join("?" if word is None else word.value for word in (session.state, session.reason))
    yield _line(session.root.name, ended, _duration(session.duration), _error(session.root), f"id {session.id}")
    known = {
        "conversation": session.conversation_id,
        "user": session.user_id,
        "tags": ", ".join(session.tags),
        "totals": ", ".join(f"{name} {value}" for name, value in session.totals.items()),
        "scores": ", ".join(map(_score, session.scores)),
    }
    guide = "│  " if session.spans else "   "
    yield from (_line(f"{guide}{what}: {said}") for what, said in known.items() if said)
    yield from _below(session.spans)


def lines_of(span: CapturedSpan) -> Iterator[str]:
    """The span and those below it."""
    reason = span.attributes.get(semconv.END_REASON)
    yield _line(span.name, _duration(span.duration), _error(span), f"ended: {reason}" if reason else "")
    yield from _below(span.children)


def _below(spans: Sequence[CapturedSpan]) -> Iterator[str]:
    for left, span in zip(range(len(spans) - 1, -1, -1), spans, strict=True):
        first, guide = ("├─ ", "│  ") if left else ("└─ ", "   ")
        head, *rest = lines_of(span)
        yield first + head
        yield from (guide + line for line in rest)


def _line(*parts: str | None) -> str:
    # One line, whatever stands in a name.
    return "  ".join(part if part.isprintable() else ascii(part)[1:-1] for part in parts if part)


def _error(span: CapturedSpan) -> str:
    return "" if span.error is None else f"ERROR {span.error}".rstrip()


def _score(score: CapturedScore) -> str:
    said = (str(part) for part in (score.name, score.value, score.label) if part is not None)
    return " ".join(said)


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.3g} ms"
