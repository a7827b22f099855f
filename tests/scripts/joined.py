"""A session whose work goes on in another process, which got its carrier in the environment."""

import gc
import os
import subprocess
import sys
import threading

import _fresh_signals  # noqa: F401
from _setup import tracer
from opentelemetry import trace

import agentops_otel as ao

how = sys.argv[1]


def start() -> None:
    with ao.session("agent", id="s", conversation_id="c", user_id="u") as session:
        there = os.environ | {name.upper(): value for name, value in session.carrier().items()}
        print(subprocess.run([sys.executable, __file__, how], env=there | {"JOINS": "1"}, check=False).returncode)


def join() -> None:
    with ao.join_session(os.environ) as session, tracer.start_as_current_span("step"):
        assert session is not None
        assert not session.is_open
        assert ao.current_session() == session
        if how == "leaves_open":
            held.append(tracer.start_span("left open"))
        elif how == "drops":
            tracer.start_span("left open")
            gc.collect()
        elif how == "is_terminated":
            held.append(tracer.start_span("left open"))
            os.kill(os.getpid(), 15)
            threading.Event().wait()
        elif how == "shuts_down":
            held.append(tracer.start_span("left open"))
            trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]
        elif how == "forks":
            held.append(tracer.start_span("held"))
            child = os.fork()
            if child == 0:
                with tracer.start_as_current_span("in the fork"):
                    held.append(tracer.start_span("left open"))
                sys.exit()
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            held.pop().end()
        elif how == "has_a_session":
            with ao.session("inner"), tracer.start_as_current_span("in inner"):
                pass
        elif how == "raises":
            session.end("error")
            raise ValueError("boom")


held: list[trace.Span] = []
if "JOINS" in os.environ:
    join()
else:
    start()
