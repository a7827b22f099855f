"""The public functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any, ParamSpec, TypeVar, overload

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from . import standard_provider
from .decorators.session import SessionScope
from .runtime import is_sdk, runtime
from .sessions import arguments, options, scores
from .sessions.handle import Session
from .sessions.joining import Joining
from .sessions.recent import SessionStore
from .sessions.starting import Plan
from .sessions.state import Ending, EndReason, EndState

P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger("agentops_otel")


def configure(
    service_name: str | None = None,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    signals: bool | None = None,
    exit_timeout: float | None = None,
    propagation: bool | None = None,
    store: SessionStore | None = None,
    redact: Callable[[str, object], object] | None = None,
    journal: bool | str | PathLike[str] | None = None,
    adopt: bool | Iterable[str] | None = None,
) -> None:
    """Sets sessions up; optional, and may be called again to change a setting.

    Uses the SDK TracerProvider that is set (the global one, or ``tracer_provider``), and never replaces it. Only
    where there is none it builds a standard one from the ``OTEL_*`` variables, with OTLP exporters by default.

    Args:
        service_name: ``service.name`` of a provider built here.
        tracer_provider: start sessions with this provider instead of the global one.
        signals: end and flush sessions on SIGTERM and SIGHUP, where their disposition is the default (default
            True, or ``OTEL_PYTHON_AGENTOPS_SIGNALS``). Call it in the main thread for that.
        exit_timeout: how many seconds the end of the process may wait for exports (default 5, or
            ``OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT``).
        propagation: let sessions go along by themselves into threads, pools, processes, programs that are started,
            requests and Celery tasks (default True, or ``OTEL_PYTHON_AGENTOPS_PROPAGATION``).
        store: where processes share what is known of sessions, for ``previous_id`` and `record_score`; without one
            the latest sessions of this process are known.
        redact: called with each name and value that is about to be captured of a decorated function's call (its
            arguments, and ``"return"``); what it returns is written instead.
        journal: keep spans of sessions on disk until they are delivered, so that those of a process that is killed,
            or whose collector is away, arrive later: True, False, or the directory (default True, in the user's state
            directory, or ``OTEL_PYTHON_AGENTOPS_JOURNAL``).
        adopt: make sessions of the outermost spans that instrumentations open for runs of agents where no session is
            current: True, False, or further operations (``gen_ai.operation.name``) than ``invoke_agent`` and
            ``invoke_workflow`` (default True, or ``OTEL_PYTHON_AGENTOPS_ADOPT``).

    Raises TypeError or ValueError for arguments that make no sense.
    """
    name = None if service_name is None else arguments.text("service_name", service_name)
    if tracer_provider is not None:
        arguments.instance_with("tracer_provider", tracer_provider, "add_span_processor", "get_tracer")
    given = {
        "signals": signals,
        "exit_timeout": exit_timeout,
        "propagation": propagation,
        "redact": redact,
        "journal": journal,
        "adopt": adopt,
    }
    settings = {field: value for name in given for field, value in options.checked(name, given[name]).items()}
    if store is not None:
        arguments.instance_with("store", store, "get", "put")
        runtime.registry.recent.store = store
    runtime.set(**settings)
    if tracer_provider is not None:
        runtime.use(tracer_provider)
        return
    with runtime.setting_up:
        is_there = is_sdk(runtime.provider())
        if not is_there:
            standard_provider.build(name)
    provider = runtime.provider()
    if is_there and name is not None:
        _logger.debug("service_name %r has no effect: the TracerProvider that is set has its own resource", name)
    if is_sdk(provider):
        runtime.install(provider)


@overload
def session(name: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def session(
    name: str | None = None,
    *,
    id: str | None = None,
    conversation_id: str | None = None,
    user_id: str | None = None,
    tags: Iterable[str] = (),
    attributes: Mapping[str, AttributeValue] | None = None,
    previous_id: str | Mapping[str, str] | None = None,
    idle_timeout: float | None = None,
    max_duration: float | None = None,
) -> SessionScope: ...


def session(
    name: Any = None,
    *,
    id: str | None = None,
    conversation_id: str | None = None,
    user_id: str | None = None,
    tags: Iterable[str] = (),
    attributes: Mapping[str, AttributeValue] | None = None,
    previous_id: str | Mapping[str, str] | None = None,
    idle_timeout: float | None = None,
    max_duration: float | None = None,
) -> Any:
    """A session for a block or a function: ``with``, ``async with``, or a decorator, bare or with arguments.

    The session starts where the block or the call begins (for a generator: its first step), is current in it, and
    ends where it is left: success/completed; error/exception, with the exception recorded and passed on untouched;
    unknown/cancelled, signal or process_exit for CancelledError and GeneratorExit, KeyboardInterrupt, SystemExit.
    Its root span is always a trace of its own; a span that was current becomes a link.

    Args:
        name: what the agent run is called; the root span is ``session {name}``. A decorated function's own name by
            default.
        id: ``session.id``; default: a new random one. At most 256 printable characters, as all ids.
        conversation_id: ``gen_ai.conversation.id``, the dialogue this run is a part of.
        user_id: ``user.id``.
        tags: ``agentops.tags``.
        attributes: more attributes of the root span.
        previous_id: the session this one continues: its id, or its `Session.carrier` (of another process, say). This
            one gets its conversation id if it has none of its own, a link to its root, and ``session.previous_id``.
        idle_timeout: seconds without any span starting or ending after which the session ends as
            unknown/timeout.
        max_duration: seconds after which it does so in any case.

    Raises TypeError or ValueError that names the argument, here and not later.
    """
    function = name if callable(name) else None
    scope = SessionScope(
        runtime.start_block,
        Plan.checked(
            None if function is not None else name,
            id=id,
            conversation_id=conversation_id,
            user_id=user_id,
            tags=tags,
            attributes=attributes,
            previous_id=previous_id,
            idle_timeout=idle_timeout,
            max_duration=max_duration,
        ),
    )
    return scope if function is None else scope(function)


def start_session(
    name: str | None = None,
    *,
    id: str | None = None,
    conversation_id: str | None = None,
    user_id: str | None = None,
    tags: Iterable[str] = (),
    attributes: Mapping[str, AttributeValue] | None = None,
    previous_id: str | Mapping[str, str] | None = None,
    idle_timeout: float | None = None,
    max_duration: float | None = None,
) -> Session:
    """Starts a session, for code where no block fits. The handle owns it: drop the handle, and it ends.

    It is current in this thread or task until it ends (`Session.attach` makes it current in others). End it with
    `Session.end`, or use the handle in ``with``. Arguments and errors are those of `session`.
    """
    handle, _ = runtime.start(
        Plan.checked(
            name,
            id=id,
            conversation_id=conversation_id,
            user_id=user_id,
            tags=tags,
            attributes=attributes,
            previous_id=previous_id,
            idle_timeout=idle_timeout,
            max_duration=max_duration,
        )
    )
    return handle


def join_session(carrier: Mapping[str, object]) -> Joining:
    """Makes the work of a block part of a session of another process or service: ``with`` or ``async with``.

    What is done there are children of that session's root in its trace, with its ids. It neither opens nor ends the
    session; a span that is left open in the block arrives all the same. The block gets a handle of the session, or
    None where the carrier is of no session: then nothing is joined.

    Args:
        carrier: what `Session.carrier` gave over there, the headers of a request, or the environment of a subprocess
            (``os.environ``); only ``traceparent``, ``tracestate`` and ``baggage`` are read, in any case. It is not
            trusted: an id that is too long or not printable is ignored.

    Raises TypeError if the carrier is no mapping.
    """
    return runtime.join(arguments.carrier("carrier", carrier))


def record_score(
    session_id: str,
    name: str,
    value: float | None = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
) -> None:
    """Records what somebody thinks of a session, by its id: feedback often comes when the session is over.

    It arrives in the trace of the session where that is known: for the latest sessions of this process, and for
    those of others by the store that `configure` got. Otherwise it carries the session's id alone. Arguments and
    errors are those of `Session.record_score`.
    """
    checked = arguments.identifier("session_id", session_id)
    runtime.record_score(checked, scores.checked(name, value, label, explanation))


def current_session() -> Session | None:
    """The open session that is current in this thread or task, if there is one."""
    return runtime.current()


def open_sessions() -> list[Session]:
    """The sessions of this process that are open, oldest first."""
    return runtime.open_sessions()


def end_all_sessions(state: EndState | str | None = None, reason: EndReason | str | None = None) -> int:
    """Ends every open session of this process, as `Session.end` does; returns how many there were.

    Raises TypeError or ValueError for an unknown state or reason.
    """
    checked = None if state is None else arguments.choice("state", state, EndState)
    why = EndReason.COMPLETED if reason is None else arguments.choice("reason", reason, EndReason)
    return runtime.end_all(Ending.said(checked, why))


def flush(timeout: float = 5.0) -> bool:
    """Waits until everything that has ended so far is exported, at most ``timeout`` seconds; false if it was not.

    Raises TypeError or ValueError for a timeout that is no number of seconds.
    """
    return runtime.flush(arguments.seconds("timeout", timeout, zero=True))
