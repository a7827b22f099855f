"""What ended the program, if it was an exception."""

from __future__ import annotations

import sys
from types import TracebackType

from ..sessions.state import PROCESS_EXIT, Ending, ending_for


class ExceptHook:
    """Remembers the exception that nobody caught; the hook that was there before does its work as ever."""

    def __init__(self) -> None:
        self._seen: BaseException | None = None
        self._previous = sys.excepthook
        self._is_installed = False

    def install(self) -> None:
        if not self._is_installed:
            self._previous = sys.excepthook
            sys.excepthook = self._hook
            self._is_installed = True

    def uninstall(self) -> None:
        """Puts the previous hook back, unless somebody has put another one in its place since."""
        if self._is_installed and sys.excepthook == self._hook:
            sys.excepthook = self._previous
            self._is_installed = False

    def ending(self) -> Ending:
        """How the sessions end that are open when the process exits."""
        if self._seen is not None:
            return ending_for(self._seen)
        replaced = self._is_installed and sys.excepthook != self._hook
        if replaced and not _is_interactive():
            # Pretty-printing hooks often do not call the one before them; the interpreter itself remembers too.
            return ending_for(getattr(sys, "last_value", None)) if hasattr(sys, "last_value") else PROCESS_EXIT
        return PROCESS_EXIT

    def _hook(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if not _is_interactive():
            self._seen = error
        self._previous(kind, error, traceback)


def _is_interactive() -> bool:
    # At a prompt an exception ends a line, not the program.
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)
