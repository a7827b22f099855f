"""Stored sessions, read from files of OTLP JSON lines as any OTLP JSON file exporter writes them.

Nothing on disk is trusted. What cannot be read is counted and skipped, down to the single span; only the
attributes shown are kept, whatever else a span carries.
"""

from __future__ import annotations

import json
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.proto_json.common.v1.common import AnyValue
from opentelemetry.proto_json.trace.v1.trace import Span, Status

from .. import semconv

MAX_LINE = 32 * 1024 * 1024
"""Bytes of the longest line that is read; a line holds one batch."""

_TOO_LONG = b"no JSON"

_NOT_A_SPAN = (TypeError, ValueError, OverflowError, RecursionError)
"""What the decoders raise for input that is not what they expect."""

_MAX_INT64 = 2**63 - 1

_INPUT_TOKENS = (semconv.GEN_AI_USAGE_INPUT_TOKENS, *semconv.OLD_INPUT_TOKENS)
_OUTPUT_TOKENS = (semconv.GEN_AI_USAGE_OUTPUT_TOKENS, *semconv.OLD_OUTPUT_TOKENS)
_KEPT = frozenset(
    {
        semconv.SESSION_ID,
        semconv.GEN_AI_OPERATION_NAME,
        semconv.END_STATE,
        semconv.END_REASON,
        semconv.EXIT_SIGNAL,
        semconv.ERROR_TYPE,
        semconv.USAGE_INPUT_TOKENS,
        semconv.USAGE_OUTPUT_TOKENS,
        *_INPUT_TOKENS,
        *_OUTPUT_TOKENS,
    }
)


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """A span, as far as it is shown. Ids are hexadecimal; times are nanoseconds since 1970, None if senseless."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: int | None
    end: int | None
    is_error: bool
    attributes: Mapping[str, str | int]

    @property
    def duration(self) -> float | None:
        """Seconds."""
        if self.start is None or self.end is None or self.end < self.start:
            return None
        return (self.end - self.start) / 1e9

    @property
    def is_session(self) -> bool:
        return self.text(semconv.GEN_AI_OPERATION_NAME) == semconv.SESSION_OPERATION

    @property
    def input_tokens(self) -> int | None:
        return self.number(*_INPUT_TOKENS)

    @property
    def output_tokens(self) -> int | None:
        return self.number(*_OUTPUT_TOKENS)

    @property
    def error_type(self) -> str | None:
        return self.text(semconv.ERROR_TYPE)

    @property
    def end_reason(self) -> str | None:
        """Why the span was ended by somebody else than the code that started it, or the session was ended."""
        return self.text(semconv.END_REASON)

    def text(self, key: str) -> str | None:
        """The attribute, where it is a string with something in it."""
        value = self.attributes.get(key)
        return value if isinstance(value, str) and value else None

    def number(self, *keys: str) -> int | None:
        """The first of the attributes that is a number."""
        values = (self.attributes.get(key) for key in keys)
        return next((value for value in values if isinstance(value, int)), None)


@dataclass(frozen=True)
class StoredSession:
    """A session: its root span and the spans below it."""

    root: StoredSpan
    children: Mapping[str, list[StoredSpan]] = field(repr=False)
    """The spans below each span, by its id, in the order in which they started."""

    @property
    def id(self) -> str:
        return self.root.text(semconv.SESSION_ID) or self.root.trace_id

    @property
    def name(self) -> str:
        return self.root.name.removeprefix(f"{semconv.SESSION_OPERATION} ")

    @property
    def state(self) -> str:
        """The end state; what the status tells where nobody wrote one."""
        return self.root.text(semconv.END_STATE) or ("error" if self.root.is_error else "unknown")

    @property
    def reason(self) -> str | None:
        return self.root.end_reason

    @property
    def signal(self) -> str | None:
        return self.root.text(semconv.EXIT_SIGNAL)

    @property
    def input_tokens(self) -> int | None:
        return self.root.number(semconv.USAGE_INPUT_TOKENS)

    @property
    def output_tokens(self) -> int | None:
        return self.root.number(semconv.USAGE_OUTPUT_TOKENS)

    def walk(self) -> Iterator[tuple[int, StoredSpan]]:
        """Every span below the root with its depth, from 1 on, each before its children."""
        return _walk(self.root, self.children)

    def __len__(self) -> int:
        """The number of spans, the root included."""
        return 1 + sum(1 for _ in self.walk())


@dataclass
class Sessions:
    """What a set of files holds."""

    sessions: list[StoredSession]
    """In the order in which they started."""

    damaged: int
    """Number of spans, lines and files that could not be read."""


def read_sessions(paths: Iterable[Path]) -> Sessions:
    """Reads all sessions in files. A session may be spread over many: every process has its own."""
    damaged = 0
    traces: defaultdict[str, dict[str, StoredSpan]] = defaultdict(dict)
    for path in paths:
        for span in _file(path):
            if span is None:
                damaged += 1
            else:
                traces[span.trace_id].setdefault(span.span_id, span)
    sessions = [session for spans in traces.values() for session in _sessions(list(spans.values()))]
    sessions.sort(key=lambda session: session.root.start or 0)
    return Sessions(sessions, damaged)


def _file(path: Path) -> Iterator[StoredSpan | None]:
    """The spans in a file, with None for each thing that is not one."""
    try:
        for line in _lines(path):
            yield from _decode(line)
    except OSError:
        yield None


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file without the empty ones, never more of one in memory than `MAX_LINE`."""
    with open(path, "rb", opener=_opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not a regular file")
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                line = _TOO_LONG
            if line.strip():
                yield line


def _opener(path: str, flags: int) -> int:
    # A link may lead anywhere, and opening a pipe would wait for somebody to write.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _decode(line: bytes) -> Iterator[StoredSpan | None]:
    """The spans in one line. Lines of logs or metrics hold none; None stands for what cannot be read."""
    try:
        message = json.loads(line)
    except _NOT_A_SPAN:
        yield None
        return
    for resource in _list(message, "resourceSpans"):
        for scope in _list(resource, "scopeSpans"):
            for span in _list(scope, "spans"):
                yield _span(span)


def _list(parent: object, key: str) -> list[Any]:
    """The list under a key; one None, which is no span, where there should be one and is not."""
    value = parent.get(key) or [] if isinstance(parent, dict) else None
    return value if isinstance(value, list) else [None]


def _span(value: Any) -> StoredSpan | None:
    try:
        span = Span.from_dict(value)
    except _NOT_A_SPAN:
        return None
    trace_id, span_id = span.trace_id or b"", span.span_id or b""
    if len(trace_id) != 16 or len(span_id) != 8:
        return None
    values = {item.key or "": _scalar(item.value) for item in span.attributes if item.key in _KEPT}
    return StoredSpan(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_id=(span.parent_span_id or b"").hex(),
        name=span.name or "",
        start=_time(span.start_time_unix_nano),
        end=_time(span.end_time_unix_nano),
        is_error=span.status is not None and span.status.code is Status.StatusCode.STATUS_CODE_ERROR,
        attributes={key: value for key, value in values.items() if value is not None},
    )


def _scalar(value: AnyValue | None) -> str | int | None:
    """A string or a count; nothing that is shown has another type."""
    if value is None:
        return None
    if value.int_value is not None:
        return value.int_value if 0 <= value.int_value <= _MAX_INT64 else None
    return value.string_value


def _time(nanoseconds: int | None) -> int | None:
    return nanoseconds if nanoseconds is not None and 0 < nanoseconds <= _MAX_INT64 else None


def _sessions(trace: list[StoredSpan]) -> Iterator[StoredSession]:
    """The sessions in the spans of one trace: most often one, to which every span belongs.

    A session whose root span is missing, or is the span of another instrumentation, is what carries its id; the
    outermost span of that stands for the root.
    """
    roots = [span for span in trace if span.is_session]
    if len(roots) == 1:
        yield _session(roots[0], trace)
        return
    groups: defaultdict[str, list[StoredSpan]] = defaultdict(list)
    for span in trace:
        if session_id := span.text(semconv.SESSION_ID):
            groups[session_id].append(span)
    for group in groups.values():
        ids = {span.span_id for span in group}
        roots = [span for span in group if span.is_session]
        outermost = [span for span in group if span.parent_id not in ids]
        yield _session(_ordered(roots or outermost or group)[0], group)


def _session(root: StoredSpan, spans: list[StoredSpan]) -> StoredSession:
    """Arranges spans below a root. The parent of some may never have arrived: they hang on the root itself."""
    below = _ordered(span for span in spans if span is not root)
    ids = {span.span_id for span in spans}
    children: defaultdict[str, list[StoredSpan]] = defaultdict(list)
    for span in below:
        children[span.parent_id if span.parent_id in ids else root.span_id].append(span)
    # Spans that are each other's ancestors are not reached from the root; the first of them is cut off and hung
    # on the root.
    reached = {span.span_id for _, span in _walk(root, children)}
    for span in below:
        if span.span_id not in reached:
            children[span.parent_id].remove(span)
            children[root.span_id].append(span)
            reached.add(span.span_id)
            reached.update(descendant.span_id for _, descendant in _walk(span, children))
    children[root.span_id] = _ordered(children[root.span_id])
    return StoredSession(root, dict(children))


def _walk(top: StoredSpan, children: Mapping[str, list[StoredSpan]]) -> Iterator[tuple[int, StoredSpan]]:
    waiting = [(1, span) for span in reversed(children.get(top.span_id, ()))]
    while waiting:
        depth, span = waiting.pop()
        yield depth, span
        waiting.extend((depth + 1, child) for child in reversed(children.get(span.span_id, ())))


def _ordered(spans: Iterable[StoredSpan]) -> list[StoredSpan]:
    return sorted(spans, key=lambda span: span.start or 0)
