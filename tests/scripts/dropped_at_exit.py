"""Sessions are dropped, ended or started while the interpreter shuts down."""

import atexit
import contextvars
import sys
from collections.abc import Generator

from _setup import tracer

import agentops_otel as ao

how = sys.argv[1]


class Agent:
    """Has a session as long as it lives."""

    def __init__(self) -> None:
        self.starts_another = how == "started_by_a_finalizer"
        self.session = ao.start_session("agent")

    def __del__(self) -> None:
        self.session.end()
        if self.starts_another:
            with ao.session("too late"), tracer.start_as_current_span("step"):
                pass


def stream() -> Generator[None, None, None]:
    with ao.session("agent"):
        yield


if how == "by_an_exit_callback":
    sessions = [contextvars.copy_context().run(ao.start_session, f"agent {number}") for number in range(1000)]
    atexit.register(sessions.clear)
elif how == "in_a_generator":
    generator = stream()
    next(generator)
else:
    agent = Agent()
