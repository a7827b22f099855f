"""Which sessions are interesting."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from .. import semconv
from ..sessions.sdk_spans import attributes_of
from ..sessions.state import EndReason, EndState


@dataclass(frozen=True)
class Policy:
    """What makes a session worth exporting; the arguments of `KeepSessions`."""

    errors: bool
    abnormal: bool
    slower_than: float | None
    costlier_than: float | None
    more_tokens_than: float | None

    def wants_session_of(self, span: ReadableSpan) -> bool:
        """Whether any span that ended like this makes its session interesting."""
        return self.errors and span.status.status_code is StatusCode.ERROR

    def wants(self, root: ReadableSpan) -> bool:
        """Whether a session is interesting by what its ended root says, which is what a backend would see."""
        said = attributes_of(root)
        tokens = sum(_number(said.get(name)) for name in (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS))
        return (
            self.wants_session_of(root)
            or (self.errors and said.get(semconv.END_STATE) == EndState.ERROR.value)
            # Without a reason somebody ended the root span by hand, which completes the session.
            or (self.abnormal and said.get(semconv.END_REASON, EndReason.COMPLETED.value) != EndReason.COMPLETED.value)
            or _exceeds(((root.end_time or 0) - (root.start_time or 0)) / 1e9, self.slower_than)
            or _exceeds(_number(said.get(semconv.COST)), self.costlier_than)
            or _exceeds(tokens, self.more_tokens_than)
        )


def _number(value: object) -> float:
    # Users may set any attribute to anything.
    return value if isinstance(value, (int, float)) else 0


def _exceeds(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit
