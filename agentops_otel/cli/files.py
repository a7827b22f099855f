"""Where stored sessions are: the directory, the names of the files in it, and how many of them are kept."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import platformdirs

from ..environment_variables import OTEL_PYTHON_AGENTOPS_RUN_ID, OTEL_PYTHON_AGENTOPS_STORE

MAX_FILES = 200
"""So many files are kept when a new run starts, the newest ones."""

MAX_BYTES = 256 * 1024 * 1024
"""So many bytes are kept when a new run starts, in the newest files."""

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_RUN_FILE = re.compile(_RUN_ID.pattern + r"-\d+\.jsonl")


def store_directory() -> Path:
    """The directory of the store: `OTEL_PYTHON_AGENTOPS_STORE`, else one in the user's state directory."""
    chosen = os.environ.get(OTEL_PYTHON_AGENTOPS_STORE)
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("agentops-otel") / "sessions"


def new_run_id() -> str:
    """A name for one run; names sort by the time of the run."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def inherited_run_id() -> str | None:
    """The run that this process belongs to, where `agentops-otel run` started it."""
    run_id = os.environ.get(OTEL_PYTHON_AGENTOPS_RUN_ID, "")
    # It becomes part of a path: anything but a name of ours might lead out of the store.
    return run_id if _RUN_ID.fullmatch(run_id) else None


def process_file(directory: Path, run_id: str) -> Path:
    """The file of this process. Every process has its own, so two never write into one line."""
    return directory / f"{run_id}-{os.getpid()}.jsonl"


def run_files(directory: Path, run_id: str) -> list[Path]:
    """The files of all processes of one run."""
    return sorted(directory.glob(f"{run_id}-*.jsonl"))


def all_files(directory: Path) -> list[Path]:
    """All files of the store, those that were put there by something else included."""
    return sorted(directory.glob("*.jsonl"))


def prune(directory: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
    """Removes the oldest files of past runs beyond the limits, and nothing that is not named like one."""
    with suppress(OSError):
        with os.scandir(directory) as entries:
            ours = [
                (entry.stat(follow_symlinks=False), entry.path)
                for entry in entries
                if _RUN_FILE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            ]
        ours.sort(key=lambda file: file[0].st_mtime_ns, reverse=True)
        size = 0
        for number, (status, path) in enumerate(ours, start=1):
            size += status.st_size
            if number > max_files or size > max_bytes:
                with suppress(OSError):
                    os.unlink(path)
