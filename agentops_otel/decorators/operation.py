"""An operation: a decorated function each of whose calls is a span."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from opentelemetry import context, trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from .. import clock, semconv
from ..config import Config
from ..sessions.context import SPAN_KEY, detach_quietly, is_suppressed
from ..sessions.events import emit
from ..sessions.exceptions import error_type, record_exception
from ..sessions.sdk_spans import attributes_of
from ..sessions.state import Ending, ending_for
from ..sessions.worker import Worker
from ..shield import absorb, encodable, text_of
from .content import Content, Parameters
from .functions import blocks_left_by

_SDK = "opentelemetry.sdk.trace"
_CALL_KEY = context.create_key("agentops-call")
"""Under this key a context holds the innermost `Call` of a method of a decorated class."""

_numbers = itertools.count()


class Host(Protocol):
    """What operations need of the runtime."""

    @property
    def settings(self) -> Config: ...

    @property
    def worker(self) -> Worker: ...

    def tracer(self) -> trace.Tracer | None: ...


class Member(NamedTuple):
    """A method of a class whose methods are one operation together: they call each other without a span."""

    of: type
    is_of_object: bool
    """Not a class method or static method."""

    def is_called_inside(self, call: Call | None, args: tuple[Any, ...]) -> bool:
        """Whether a call with these arguments is made inside of one of the same object, or of the class.

        ``call``: the innermost call of a decorated class.
        """
        while call is not None:
            is_same = bool(args) and call.owner is args[0] if self.is_of_object else self.of in call.classes
            if call.is_open and is_same:
                return True
            call = call.outer
        return False


class Operation(NamedTuple):
    """A decorated function, and what is known of its spans before it is called. Thread-safe."""

    host: Host
    span_name: str
    attributes: Mapping[str, AttributeValue]
    details: Mapping[str, AttributeValue]
    """Those of the attributes that say what it is: they stand on the log event, too."""
    input: tuple[str, ...]
    """Names of the attributes for the arguments."""
    output: tuple[str, ...]
    """Names of the attributes for the result."""
    parameters: Parameters
    member: Member | None = None

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """What surrounds a call; None where it is to have no span."""
        try:
            # Without the SDK nobody can have set a provider; asking the API for one that is not set is slow.
            tracer = self.host.tracer() if _SDK in sys.modules else None
            if tracer is None:
                return None
            here = context.get_current()
            if is_suppressed(here):
                return None
            innermost: Any = here.get(_CALL_KEY)
            if innermost is not None and self.member is not None and self.member.is_called_inside(innermost, args):
                return None
            return Call(self, tracer, args, kwargs)
        except Exception as error:  # noqa: BLE001
            absorb("looking whether a decorated function has a span", error)
        return None


class Call:
    """The span of one call: current in a ``with`` block, once."""

    __slots__ = (
        "_args",
        "_content",
        "_has_recorded",
        "_kwargs",
        "_number",
        "_operation",
        "_span",
        "_token",
        "_tracer",
        "classes",
        "is_open",
        "outer",
        "owner",
    )

    def __init__(
        self, operation: Operation, tracer: trace.Tracer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._operation = operation
        self._tracer = tracer
        self._args = args
        self._kwargs = kwargs
        self._number = next(_numbers)
        """Calls that begin later have higher ones."""
        self._span: trace.Span | None = None
        self._token: Token[context.Context] | None = None
        self._content: Content | None = None
        self._has_recorded = False
        """The exception that left it stands on its span, or on that of a call inside of it."""
        self.is_open = False
        self.owner: object = None
        """The object whose method is called, while it is open."""
        self.classes: tuple[type, ...] = ()
        """The class whose method is called, and its bases."""
        self.outer: Call | None = None
        """The call of another object's method in which this one is made."""

    def __enter__(self) -> None:
        try:
            self._start()
        except Exception as error:  # noqa: BLE001
            absorb("starting the span of a decorated function", error)
        self._args, self._kwargs = (), {}  # contexts that are kept must not keep them

    def returned(self, value: object) -> None:
        if self._content is not None:
            self._content.returned(value)

    def yielded(self, item: object) -> None:
        if self._content is not None:
            self._content.yielded(item)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.is_open = False
        self.owner = None
        token, self._token = self._token, None
        is_closed = isinstance(error, GeneratorExit)
        # The garbage collector closes a coroutine anywhere, also where something else has become current.
        if token is not None and (not is_closed or context.get_current().get(SPAN_KEY) is self._span):
            detach_quietly(token)
        if is_closed:
            # And in the middle of any line, with any lock held: what is to be written is written elsewhere.
            self._operation.host.worker.post(self._end, ending_for(error), clock.time_ns())
        else:
            self._end(ending_for(error))

    def _start(self) -> None:
        operation = self._operation
        if operation.host.worker.is_needed:
            operation.host.worker.ensure()
        self._span = span = self._tracer.start_span(operation.span_name, attributes=operation.attributes)
        inside: dict[str, Any] = {**context.get_current(), SPAN_KEY: span}
        if operation.member is not None:
            self._become_innermost(operation.member, inside)
        self._token = context.attach(context.Context(inside))
        if not span.is_recording():
            return
        if not operation.details.keys() <= attributes_of(span).keys():
            span.set_attributes(operation.attributes)  # a sampler that returns no attributes makes the SDK drop these
        settings = operation.host.settings
        if settings.content_on_spans or settings.content_on_events:
            self._content = content = Content(settings, operation.input, operation.output)
            content.called(operation.parameters, self._args, self._kwargs)
            if content.on_span:
                span.set_attributes(content.input)

    def _become_innermost(self, member: Member, inside: dict[str, Any]) -> None:
        self.outer = _skip_ended(inside.get(_CALL_KEY))
        if self.outer is not None:
            self.outer.outer = _skip_ended(self.outer.outer)  # tasks that start the next one would make endless chains
        self.owner = self._args[0] if member.is_of_object and self._args else None
        self.classes = member.of.__mro__
        self.is_open = True
        inside[_CALL_KEY] = self

    def _end(self, ending: Ending, end_time: int | None = None) -> None:
        span = self._span
        if span is None:
            return
        try:
            if span.is_recording():
                self._write(span, ending, end_time)
        except Exception as error:  # noqa: BLE001
            absorb("writing how a decorated function ended", error)
        try:
            span.end(end_time)
        except Exception as error:  # noqa: BLE001
            absorb("ending the span of a decorated function", error)

    def _write(self, span: trace.Span, ending: Ending, end_time: int | None) -> None:
        if ending.exception is not None:
            self._write_error(span, ending.exception)
        elif not ending.is_normal:
            span.set_attribute(semconv.END_REASON, ending.reason.value)
            if ending.signal is not None:
                span.set_attribute(semconv.EXIT_SIGNAL, ending.signal)
        content = self._content
        if content is None:
            return
        if content.on_span:
            span.set_attributes(content.output)
        if content.on_event:
            emit(
                semconv.EVENT_OPERATION_DETAILS,
                {**self._operation.details, **content.input, **content.output},
                span.get_span_context(),
                time=end_time,
                is_error=ending.exception is not None,
            )

    def _write_error(self, span: trace.Span, error: BaseException) -> None:
        span.set_attribute(semconv.ERROR_TYPE, error_type(error))
        self._has_recorded = True
        if any(
            isinstance(block, Call) and block._has_recorded and block._number > self._number
            for block in blocks_left_by(error)
        ):
            span.set_status(Status(StatusCode.ERROR))
        else:
            span.set_status(Status(StatusCode.ERROR, encodable(f"{type(error).__name__}: {text_of(error)}")))
            record_exception(span, error)


def _skip_ended(call: Call | None) -> Call | None:
    while call is not None and not call.is_open:
        call = call.outer
    return call
