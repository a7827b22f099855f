"""The process is forked in the block of a session, in an open span of it."""

import os
import sys

from _setup import tracer

import agentops_otel as ao

how = sys.argv[1]
child = -1
with ao.session("agent") as session, tracer.start_as_current_span("step"):
    held = tracer.start_span("held")
    child = os.fork()
    if child == 0:
        assert not session.is_open
        if how == "exits":
            sys.exit(4)
        elif how == "leaves_at_once":
            os._exit(4)
        elif how == "raises":
            raise ValueError("boom")
        elif how == "ends":
            session.end("error")
            held.end()
        elif how == "drops":
            del session, held
        elif how == "works":
            with tracer.start_as_current_span("in the child"):
                pass
            with ao.session("child"), tracer.start_as_current_span("in its session"):
                pass
            assert ao.current_session() == session
        elif how == "leaves_open":
            own = ao.start_session("child")
    else:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        assert session.is_open
        held.end()
