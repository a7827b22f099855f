"""`record_action`, `record_tool`: decorators of programs before 0.4."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from opentelemetry.trace import StatusCode
from support.spans import Spans, attributes, context_of

import agentops_otel.compat as agentops


def add(x: int, y: int = 2) -> int:
    return x + y


async def add_later(x: int, y: int = 2) -> int:
    await asyncio.sleep(0)
    return x + y


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


each_kind = pytest.mark.parametrize("function", [add, add_later])


@each_kind
@pytest.mark.parametrize(
    ("decorator", "name"),
    [
        (agentops.record_action("sum"), "task sum"),
        (agentops.record_function("sum"), "task sum"),
        (agentops.record_tool("sum"), "execute_tool sum"),
        (agentops.Client.record_action("sum"), "task sum"),
        (agentops.Client.record_function("sum"), "task sum"),
    ],
)
def test_a_call_is_a_span(spans: Spans, decorator: Any, name: str, function: Callable[..., Any]) -> None:
    decorated = decorator(function)
    assert inspect.iscoroutinefunction(decorated) is inspect.iscoroutinefunction(function)
    with agentops.start_trace("t"):
        assert call(decorated, 1, y=3) == 4
    assert spans.by_name(name).parent == context_of(spans.root())


def test_without_a_name_it_is_called_as_the_function(spans: Spans) -> None:
    with agentops.start_trace("t"):
        agentops.record_action()(add)(1)
        agentops.record_tool()(add)(1)
    assert spans.names() == ["task add", "execute_tool add", "session t"]


def test_an_exception_goes_on_and_makes_an_error(spans: Spans) -> None:
    @agentops.record_action("fails")
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    assert spans.by_name("task fails").status.status_code is StatusCode.ERROR


@each_kind
def test_a_call_belongs_to_the_session_that_it_says(spans: Spans, function: Callable[..., Any]) -> None:
    decorated = agentops.record_action("sum")(function)
    sessions = [agentops.start_session() for _ in range(2)]
    for session in sessions:
        assert call(decorated, 1, session=session) == 3
    agentops.end_all_sessions()
    ids = [attributes(span)["session.id"] for span in spans.all() if span.name == "task sum"]
    assert ids == [session.session_id for session in sessions]


def test_a_session_of_another_kind_is_the_functions_own(spans: Spans) -> None:
    @agentops.record_action("query")
    def query(session: object = None) -> object:
        return session

    assert query(session="of a database") == "of a database"
    assert query(session=None) is None


@pytest.fixture
def elsewhere() -> Callable[[Callable[[], object]], None]:
    """Calls something in a thread that was there before, in which so no session is current."""
    calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
    thread = threading.Thread(target=lambda: calls.get()())
    thread.start()

    def call_there(function: Callable[[], object]) -> None:
        calls.put(function)
        thread.join()

    return call_there


def test_where_nothing_is_current_it_belongs_to_the_only_session(spans: Spans, elsewhere: Any) -> None:
    agentops.init()
    elsewhere(lambda: agentops.record_action("sum")(add)(1))
    agentops.end_session("Success")
    assert spans.by_name("task sum").parent == context_of(spans.root())


def test_where_nothing_is_current_it_belongs_to_none_of_several(spans: Spans, elsewhere: Any) -> None:
    for _ in range(2):
        agentops.start_session()
    elsewhere(lambda: agentops.record_action("sum")(add)(1))
    agentops.end_all_sessions()
    assert "session.id" not in attributes(spans.by_name("task sum"))


def test_where_a_span_is_current_it_is_its_child(spans: Spans, elsewhere: Any) -> None:
    agentops.init()

    def request() -> None:
        with spans.tracer.start_as_current_span("request"):
            agentops.record_action("sum")(add)(1)

    elsewhere(request)
    agentops.end_session("Success")
    assert spans.by_name("task sum").parent == context_of(spans.by_name("request"))
