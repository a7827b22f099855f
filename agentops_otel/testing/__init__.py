"""For tests of programs that use this package: what their sessions write, a clock to set, ids that count up.

With pytest there are the fixtures ``captured_sessions`` and ``session_clock`` (see plugin.py); anywhere else::

    with capture_sessions() as captured:
        answer("What is an agent?")
    assert_session(captured, name="research", state="success", spans=["chat", "execute_tool search"])

isolation.py    what belongs to the whole process, put back after each test
providers.py    providers whose tracers outlive their test
capture.py      capture_sessions(): one test's sessions
captured.py     a finished session as a tree of values; tree.py prints it, assertions.py compares it
fake_clock.py   time that stands still until a test advances it
plugin.py       the fixtures of pytest; the only module that needs it
"""

from .assertions import assert_session
from .capture import CapturedSessions, capture_sessions
from .captured import CapturedEvent, CapturedScore, CapturedSession, CapturedSpan
from .fake_clock import SessionClock
from .ids import CountingIds

__all__ = [
    "CapturedEvent",
    "CapturedScore",
    "CapturedSession",
    "CapturedSessions",
    "CapturedSpan",
    "CountingIds",
    "SessionClock",
    "assert_session",
    "capture_sessions",
]
