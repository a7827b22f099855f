"""The one place where an exception stops instead of reaching the user's program.

Telemetry must not break what it watches: a span processor, sampler or exporter of the user that raises, or a
mistake of ours, costs one log line, not the program. The package's own tests set `reraise`, so a mistake of ours
is never swallowed there.
"""

from __future__ import annotations

import logging
from types import TracebackType

_logger = logging.getLogger("agentops_otel")

reraise = False
"""Set by tests: let every exception through."""

_said: set[tuple[str, type[BaseException]]] = set()


class Shield:
    """Keeps an exception raised in its block from leaving it, and says so once per kind.

    ``doing`` completes the sentence "failed while ...". Safe to share between threads and to enter again.
    """

    __slots__ = ("_doing", "_stops")

    def __init__(self, doing: str, *, on_own_thread: bool = False) -> None:
        self._doing = doing
        # On a thread of ours nobody waits for a SystemExit or KeyboardInterrupt, and the thread must go on.
        self._stops: type[BaseException] = BaseException if on_own_thread else Exception

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, self._stops):
            return False
        absorb(self._doing, error)
        return True


def absorb(doing: str, error: BaseException) -> None:
    """What a `Shield` does, for an ``except`` on the path of every span, where a ``with`` costs too much.

    Called in the ``except`` block of ``error``; raises it again where `reraise` is set.
    """
    if reraise:
        raise error
    if (doing, type(error)) not in _said:
        _said.add((doing, type(error)))
        _logger.warning("failed while %s; later failures of this kind are not logged", doing, exc_info=error)


def text_of(value: object, default: str = "") -> str:
    """``str(value)``, or ``default`` for an object whose ``__str__`` raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - somebody's __str__
        return default


def encodable(text: str) -> str:
    """``text``, with what UTF-8 cannot encode replaced.

    A lone surrogate, as `os.fsdecode` makes them of odd file names, would cost the whole batch it is exported in.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
