"""Comparing a captured session with what a test expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ..sessions.state import EndReason, EndState
from .capture import CapturedSessions
from .captured import CapturedSession, CapturedSpan

ExpectedSpan: TypeAlias = "str | tuple[str, Sequence[ExpectedSpan]]"
"""The name of a span, or its name and all spans right below it."""


def assert_session(
    captured: CapturedSessions | CapturedSession,
    *,
    name: str | None = None,
    state: EndState | str | None = None,
    reason: EndReason | str | None = None,
    error: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    totals: Mapping[str, Any] | None = None,
    spans: Sequence[ExpectedSpan] | None = None,
) -> CapturedSession:
    """Compares the one captured session (of this name) with what is expected of it, and returns it.

    What is left out is not compared. Raises AssertionError that says what differs and shows the session's tree.

    Args:
        captured: all sessions of a test, or one of them.
        name: what the session was started as.
        state: how it ended.
        reason: why it ended.
        error: what went wrong, such as "ValueError: no such model".
        attributes: attributes that the root span must have, among others.
        totals: totals that it must have, among others, such as ``{"tool.calls": 1}``.
        spans: all spans right below the root by their names, in the order of their starts. ``(name, [...])`` says what
            is right below a span; a name alone says nothing of that.
    """
    __tracebackhide__ = True  # of pytest
    session = captured.only(name) if isinstance(captured, CapturedSessions) else captured
    said: list[tuple[str, object, object]] = [
        ("name", name, session.name),
        ("state", state and EndState(state).value, session.state and session.state.value),
        ("reason", reason and EndReason(reason).value, session.reason and session.reason.value),
        ("error", error, session.error),
        *(
            (f"{what}[{key!r}]", value, present.get(key))
            for what, expected, present in (
                ("attributes", attributes, session.attributes),
                ("totals", totals, session.totals),
            )
            for key, value in (expected or {}).items()
        ),
    ]
    differences = [
        f"{what} is {present!r}, not {expected!r}"
        for what, expected, present in said
        if expected is not None and present != expected
    ]
    if spans is not None and not _are_like(session.spans, spans):
        differences.append(f"spans are {_outlines(session.spans)!r}, not {spans!r}")
    if differences:
        raise AssertionError("\n".join([*differences, str(session)]))
    return session


def _are_like(spans: Sequence[CapturedSpan], expected: Sequence[ExpectedSpan]) -> bool:
    return len(spans) == len(expected) and all(map(_is_like, spans, expected))


def _is_like(span: CapturedSpan, expected: ExpectedSpan) -> bool:
    if isinstance(expected, str):
        return span.name == expected
    name, below = expected
    return span.name == name and _are_like(span.children, below)


def _outlines(spans: Sequence[CapturedSpan]) -> list[ExpectedSpan]:
    return [(span.name, _outlines(span.children)) if span.children else span.name for span in spans]
