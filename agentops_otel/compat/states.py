"""End states: as the AgentOps SDK spelled them, over the years, and what they are here."""

from __future__ import annotations

import functools
import logging
from enum import Enum

from opentelemetry.trace import StatusCode

from ..sessions.state import EndState as End
from ..shield import text_of

_logger = logging.getLogger("agentops_otel")


class TraceState(Enum):
    """How a trace ended."""

    SUCCESS = StatusCode.OK
    ERROR = StatusCode.ERROR
    UNSET = StatusCode.UNSET

    def __str__(self) -> str:
        return self.name

    def to_status_code(self) -> StatusCode:
        """The status of OpenTelemetry that it stands for."""
        return self.value


SUCCESS = TraceState.SUCCESS
ERROR = TraceState.ERROR
UNSET = TraceState.UNSET


class EndState(Enum):
    """How a session ended, in the words of releases before 0.4."""

    SUCCESS = "Success"
    FAIL = "Fail"
    INDETERMINATE = "Indeterminate"


_WORDS = {
    End.SUCCESS: ("success", "succeeded", "ok"),
    End.ERROR: ("error", "fail", "failed", "failure"),
    End.UNKNOWN: ("unknown", "indeterminate", "unset", "shutdown"),
}
_STATES = {word: meant for meant, words in _WORDS.items() for word in words}


def parse(said: object) -> End:
    """The end state that is meant, in any case and spelling, with or without the name of an enumeration in front.

    One that is not known is unknown, which costs a warning for each.
    """
    return _of(_text(said)) or End.UNKNOWN


def other(said: object) -> str | None:
    """What was said, if it is no end state that is known: programs say what they like."""
    text = _text(said)
    return None if _of(text) else text


def _text(said: object) -> str:
    return said.name if isinstance(said, Enum) else text_of(said)


@functools.lru_cache(maxsize=256)  # so it is warned of each only once
def _of(text: str) -> End | None:
    state = _STATES.get(text.rpartition(".")[2].strip().lower())
    if state is None:
        _logger.warning("the end state %r is not known; the session ends as unknown", text)
    return state
