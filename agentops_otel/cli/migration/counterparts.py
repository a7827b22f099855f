"""What becomes of each name of the AgentOps SDK.

Most stay as they are, once ``agentops`` is imported from `agentops_otel.compat`; beside each stands what says the same
in the words of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from ...compat.install import PACKAGE, SERVED

COMPAT = "agentops_otel.compat"


class Fate(Enum):
    """What has to be done about something."""

    AS_IS = "as is"
    BY_HAND = "by hand"
    NONE = "no counterpart"


class Counterpart(NamedTuple):
    """What becomes of something."""

    fate: Fate
    text: str
    """With the imports changed it goes on as it is; this says the same without them. Or what to do instead."""


class Found(NamedTuple):
    """Something of the SDK in a source."""

    line: int
    """From 1."""
    column: int
    """From 1, in bytes of UTF-8, as compilers count."""
    text: str
    """As it is written, arguments by name only: their values may be secret."""
    becomes: Counterpart
    note: str = ""


_SESSION = "@agentops_otel.session"
_SPAN = "a span: trace.get_tracer(...).start_as_current_span(...)"
_NO_CLIENT = "agentops_otel itself: there is no client"
_LANGCHAIN = "opentelemetry-instrumentation-genai-langchain: no callback handler is needed"
_TAGS = "agentops_otel.current_session().add_tags(...)"
_NO_REPLAY = "no page of the session is hosted; its id is Session.id"

KEPT: Mapping[str, str] = {
    "init": "agentops_otel.configure(), and start_session() for one of the whole process",
    "configure": "agentops_otel.configure()",
    "get_client": _NO_CLIENT,
    "Client": _NO_CLIENT,
    "start_trace": "with agentops_otel.session(name), or start_session(name): its handle has to be kept",
    "end_trace": "Session.end(state); without a trace: agentops_otel.end_all_sessions()",
    "update_trace_metadata": "agentops_otel.current_session().set_attributes({...})",
    "TraceContext": "agentops_otel.Session",
    "start_session": "with agentops_otel.session(name), or start_session(name): its handle has to be kept",
    "end_session": "Session.end(state)",
    "end_all_sessions": "agentops_otel.end_all_sessions()",
    "get_session": "agentops_otel.current_session(), agentops_otel.open_sessions()",
    "add_tags": _TAGS,
    "set_tags": _TAGS,
    "Session": "agentops_otel.Session",
    "record": _SPAN,
    "Event": _SPAN,
    "ActionEvent": "@agentops_otel.task, or " + _SPAN,
    "ToolEvent": "@agentops_otel.tool, or " + _SPAN,
    "LLMEvent": "the instrumentation of the client, or " + _SPAN,
    "ErrorEvent": "Session.record_exception(error)",
    "track_agent": "@agentops_otel.agent",
    "track_tool": "@agentops_otel.tool",
    "record_action": "@agentops_otel.task",
    "record_function": "@agentops_otel.task",
    "record_tool": "@agentops_otel.tool",
    "create_agent": "@agentops_otel.agent",
    "trace": _SESSION,
    "session": _SESSION,
    "track_endpoint": _SESSION,
    "agent": "@agentops_otel.agent",
    "task": "@agentops_otel.task",
    "operation": "@agentops_otel.task",
    "workflow": "@agentops_otel.workflow",
    "tool": "@agentops_otel.tool",
    "guardrail": "@agentops_otel.guardrail",
    "TraceState": "agentops_otel.EndState",
    "EndState": "agentops_otel.EndState",
    "SUCCESS": '"success"',
    "ERROR": '"error"',
    "UNSET": '"unknown"',
    "tracer": "opentelemetry.trace.get_tracer(...), agentops_otel.open_sessions()",
    "validate_trace_spans": "agentops_otel.flush(), Session.totals; in tests: agentops_otel.testing",
    "print_validation_summary": "Session.totals",
    "ValidationError": "agentops_otel.testing.assert_session, in tests",
    "stop_instrumenting": "uninstrument() of the instrumentations of OpenTelemetry",
    "LangchainCallbackHandler": _LANGCHAIN,
    "AsyncLangchainCallbackHandler": _LANGCHAIN,
    "logger": 'logging.getLogger("agentops_otel")',
}
"""The public names that stay."""

KEPT_OF: Mapping[str, Mapping[str, str]] = {
    "Session": {
        "session_id": "Session.id",
        "trace_context": "Session",
        "span": "Session",
        "add_tags": "Session.add_tags(...)",
        "set_tags": "Session.add_tags(...)",
        "get_analytics": "Session.totals",
        "patch": "with Session.attach()",
        "create_agent": "@agentops_otel.agent",
        "record": _SPAN,
        "end_session": "Session.end(state)",
    },
    "TraceContext": {"span": "Session"},
    "Client": {
        "init": KEPT["init"],
        "initialize": KEPT["init"],
        "configure": KEPT["configure"],
        "record": _SPAN,
        "record_action": KEPT["record_action"],
        "record_function": KEPT["record_function"],
        "start_session": KEPT["start_session"],
        "end_session": KEPT["end_session"],
        "add_tags": _TAGS,
        "set_tags": _TAGS,
        "current_session_ids": "agentops_otel.open_sessions()",
        "config": "what you gave to agentops_otel.configure()",
    },
}
"""What stays of the objects."""

CHANGED: Mapping[str, str] = {
    "start_span": _SPAN,
    "end_span": _SPAN,
    "get_api_key": "there is no key",
    "set_api_key": "there is no key",
    "set_parent_key": "there is no key",
}
"""Names of some releases that `agentops_otel.compat` has not: what to write in their place."""

GONE: Mapping[str, str] = {
    "Session.session_url": _NO_REPLAY,
    "Session.jwt": "there is nobody to prove oneself to",
    "exceptions": "nothing here raises them",
    "integration": "the instrumentation of the framework; `opentelemetry-bootstrap` lists what there is",
    "partners": "the instrumentation of the framework; `opentelemetry-bootstrap` lists what there is",
    "instrumentation": "the instrumentation of the library; `opentelemetry-bootstrap` lists what there is",
    "logging": 'logging.getLogger("agentops_otel")',
}
"""What has no counterpart, by how its name begins, the longest first: what there is instead."""

_PARENTS = {name.rpartition(".")[0] for name in SERVED}


def home(module: str) -> str | None:
    """The module of `agentops_otel.compat` that has the names of ``agentops.{module}``; empty for itself.

    None where none has, or there is no such module.
    """
    if module.startswith("semconv."):
        return "semconv"
    name = f"{PACKAGE}.{module}".rstrip(".")
    source = SERVED.get(name)
    if source is None or (not source and name in _PARENTS):
        return None
    return source.removeprefix(COMPAT).removeprefix(".")


MAKES: Mapping[str, str] = {
    "init": "Session",
    "start_session": "Session",
    "start_trace": "TraceContext",
    "get_client": "Client",
    **{name: name for name in KEPT_OF},
}
"""What is returned by calls."""

TAKE_HOSTED = frozenset({"init", "configure", "Client", "Client.init", "Client.configure"})
"""What takes arguments that have no effect."""


def counterpart(name: str, *, of_package: bool) -> Counterpart:
    """What becomes of ``agentops.{name}``.

    ``of_package``: whether the program gets at it as an attribute of the package, so that a module in between must be
    one of `agentops_otel.compat` too.
    """
    module, member = _split(name)
    there = home(module)
    first, _, attribute = member.partition(".")
    where = f"{COMPAT}.{there}".rstrip(".")
    if not first:
        said = Counterpart(Fate.AS_IS, where)
    elif there == "semconv":
        said = Counterpart(Fate.AS_IS, f"{where}.{member}")
    elif first in KEPT and member not in CHANGED and member not in GONE:
        said = Counterpart(Fate.AS_IS, KEPT_OF.get(first, {}).get(attribute, KEPT[first]))
    elif member in CHANGED:
        return Counterpart(Fate.BY_HAND, CHANGED[member])
    else:
        return Counterpart(Fate.NONE, _instead(name))
    if of_package and there != module:
        return Counterpart(Fate.BY_HAND, f"{where if there == 'semconv' else COMPAT}.{member}".rstrip("."))
    return said


def is_known_of_object(name: str) -> bool:
    """Whether this is a name of one of the objects: ``Session.end_session``."""
    kind, _, attribute = name.partition(".")
    return attribute in KEPT_OF.get(kind, {}) or name in CHANGED or name in GONE


def _split(name: str) -> tuple[str, str]:
    """The module of the SDK that a name is in, and the rest of the name."""
    words = name.split(".")
    lengths = range(len(words), 0, -1)
    split = ((".".join(words[:length]), ".".join(words[length:])) for length in lengths)
    # What is in a module of semantic conventions is a class: only what is written small is a module. Some modules are
    # called like a decorator, which is what is meant where nothing of the module is.
    return next(
        (
            (module, member)
            for module, member in split
            if home(module) is not None and module.islower() and (member or module not in KEPT)
        ),
        ("", name),
    )


def _instead(name: str) -> str:
    words = name.split(".")
    beginnings = (".".join(words[:length]) for length in range(len(words), 0, -1))
    return next((GONE[beginning] for beginning in beginnings if beginning in GONE), "")
