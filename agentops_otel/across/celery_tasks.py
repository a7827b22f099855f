"""Celery tasks, by the headers of their messages."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any

from opentelemetry import context

from ..sessions import arguments
from ..sessions.context import detach_quietly
from ..sessions.joining import Joining
from ..sessions.record import Record
from ..sessions.registry import Registry
from ..shield import Shield
from .way import Way

_SENDING = Shield("sending a session along with a Celery task")
_JOINING = Shield("joining the session of a Celery task")
_LEAVING = Shield("leaving the session of a Celery task")

_TRACEPARENT = "traceparent"
_BAGGAGE = "baggage"

_MODULES = ("celery.app.amqp", "celery.concurrency.prefork")
"""Imported before the first task is sent, and by a worker before the first one runs. Not `celery.signals`: other
instrumentations, which import that, should have connected their handlers before us."""

_TASK_KEY = context.create_key("agentops-celery-task")


class CeleryTasks(Way):
    """A task that is sent in a session belongs to it, in whatever worker it runs.

    What its message carries are the headers of W3C Trace Context and Baggage, which Celery's OpenTelemetry
    instrumentation writes and reads as well; with and without it there is one trace. After a task nothing of it is
    current any more, whatever it has left open. Follows Celery's signals and does not import it. Thread-safe.
    """

    def __init__(self, registry: Registry, join: Callable[[Mapping[str, str]], Joining]) -> None:
        super().__init__(registry, dict.fromkeys(_MODULES, self._connect))
        self._join = join
        self._handlers: tuple[_LastHandler, ...] = ()
        """Empty while Celery is not there."""
        self._attached: weakref.WeakKeyDictionary[Any, tuple[object, Token[context.Context]]] = (
            weakref.WeakKeyDictionary()
        )
        """For the tasks that are running, by their request: an eager retry has the id of the task it runs in."""

    def uninstall(self) -> None:
        super().uninstall()
        handlers, self._handlers = self._handlers, ()
        if handlers:
            sys.modules["celery.signals"].task_prerun.disconnect(self._task_starts)
        for handler in handlers:
            handler.disconnect()

    def _connect(self, module: object) -> None:
        if not self._handlers:
            signals = sys.modules["celery.signals"]
            signals.task_prerun.connect(self._task_starts, weak=False)
            self._handlers = (
                _LastHandler(signals.before_task_publish, self._task_is_sent),
                _LastHandler(signals.task_postrun, self._task_ends),
            )

    def _task_is_sent(self, headers: object = None, **named: object) -> None:
        with _SENDING:
            self._go_last()
            record, carrier = self._session(), self._carrier()
            if record is not None and carrier and isinstance(headers, dict):
                _add(headers, record, carrier)

    def _task_starts(self, task: Any, **named: object) -> None:
        with _JOINING:
            self._go_last()
            mark, request = object(), task.request
            self._attached[request] = mark, context.attach(context.set_value(_TASK_KEY, mark))
            carrier = arguments.carrier("headers", request.headers) if isinstance(request.headers, dict) else {}
            record = self._session()
            # Another instrumentation may have joined the trace already, with a span for the task; an eager task is
            # in it anyway.
            if carrier and not (record is not None and _is_of(record, carrier.get(_TRACEPARENT))):
                self._join(carrier).__enter__()

    def _task_ends(self, task: Any, **named: object) -> None:
        with _LEAVING:
            mark, token = self._attached.pop(task.request, (None, None))
            # Not where another handler has gone back already to what was before both.
            if token is not None and context.get_value(_TASK_KEY) is mark:
                detach_quietly(token)

    def _go_last(self) -> None:
        for handler in self._handlers:
            handler.go_last()


class _LastHandler:
    """A handler that is called after all others of its signal, those that are connected later included.

    Handlers are called in the order in which they were connected, when a task ends as when it starts. But what others
    attach to the context after us must be detached before us; and where they write the headers, the user's id is not
    in them. (So it is missing in one message, the first that is sent after somebody has connected a handler, unless
    a task has run since.)
    """

    def __init__(self, signal: Any, handler: Callable[..., None]) -> None:
        self._signal = signal
        self._handler = handler
        self._uid = object()
        self._moving = threading.Lock()
        signal.connect(handler, weak=False, dispatch_uid=self._uid)

    def go_last(self) -> None:
        """Moves it, if others have been connected since."""
        with self._moving:
            if self._signal.receivers[-1][1] is not self._handler:
                before, self._uid = self._uid, object()
                self._signal.connect(self._handler, weak=False, dispatch_uid=self._uid)
                self._signal.disconnect(dispatch_uid=before)  # not before: it would be missing in between

    def disconnect(self) -> None:
        self._signal.disconnect(dispatch_uid=self._uid)


def _add(headers: dict[str, Any], record: Record, carrier: Mapping[str, str]) -> None:
    """Adds a session's carrier to the headers of a message.

    Where another trace is named already it stays: the user has chosen it, or a task of another session is retried.
    """
    if _TRACEPARENT in headers and not _is_of(record, headers[_TRACEPARENT]):
        return
    there = headers.get(_BAGGAGE)
    headers.update({name: value for name, value in carrier.items() if name not in headers})
    if isinstance(there, str) and _BAGGAGE in carrier:
        # Of two entries with one name the last counts.
        headers[_BAGGAGE] = ",".join(dict.fromkeys([*there.split(","), *carrier[_BAGGAGE].split(",")]))


def _is_of(record: Record, traceparent: object) -> bool:
    return isinstance(traceparent, str) and f"{record.trace_id:032x}" in traceparent
