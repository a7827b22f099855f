"""A multiprocessing child is forked in the block of a session."""

import multiprocessing
import sys

from _setup import tracer

import agentops_otel as ao


def child(session: ao.Session) -> None:
    if sys.argv[1] == "ends":
        session.end("error")
    elif sys.argv[1] == "works":
        with tracer.start_as_current_span("in the child"):
            pass
        with ao.session("child"), tracer.start_as_current_span("in its session"):
            pass


with ao.session("agent") as session:
    with tracer.start_as_current_span("step"):
        process = multiprocessing.get_context("fork").Process(target=child, args=(session,))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert session.is_open
