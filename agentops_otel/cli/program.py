"""What `agentops-otel run` was asked to start."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """A program to start."""

    argv: list[str]
    name: str | None
    """What it is called as a service, None where nothing names it."""
    is_command: bool = False
    """Whether it is some command rather than something for this Python interpreter."""

    @classmethod
    def parse(cls, words: Sequence[str]) -> Program:
        """Reads `SCRIPT ...`, `-m MODULE ...` and `-c CODE ...` as Python does, and `-- COMMAND ...`.

        Raises FileNotFoundError where there is no such script.
        """
        first, *rest = words
        if first == "--":
            return cls(rest, Path(rest[0]).name, is_command=True)
        argv = [sys.executable, *words]
        if first.startswith("-m"):
            return cls(argv, first[2:] or next(iter(rest), None))
        if first.startswith("-c") or first == "-":
            return cls(argv, None)
        # Python would say so too, but only after it had set everything up.
        if not Path(first).exists():
            raise FileNotFoundError(errno.ENOENT, f"no such script (a command? agentops-otel run -- {first})", first)
        return cls(argv, Path(first).stem)
