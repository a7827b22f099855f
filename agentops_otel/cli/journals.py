"""The journals of programs: where they are, and whether a process that is gone has left something in them."""

from __future__ import annotations

from pathlib import Path

from ..config import Config
from ..journal.places import Place, default_directory


def journal_directory() -> Path:
    """The directory of the journals of programs that are started in this environment."""
    return Path(Config.from_environment().journal_directory or default_directory())


def anybody_is_dead(directory: Path) -> bool:
    """Whether there is something to recover: most of the time there is not, and nothing has to be loaded for it."""
    for files in Place(directory).dead():
        files.release()
        return True
    return False
