"""The directory of journals: who owns which files, and who of them is dead.

An owner is a process. Its files begin with its name, and as long as it lives it holds a lock on one of them: who gets
that lock knows that the owner is dead, and owns the files from then on. No pid is looked at: in another container the
same one is somebody else.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from . import format

OLDEST = 7 * 24 * 3600.0
"""Seconds after which the files of a dead owner are dropped."""

MOST_BYTES = 2**30
"""Of all dead owners together; beyond it the oldest are dropped."""

_NAME = re.compile(r"(\d{8}T\d{12}Z-[0-9a-f]{16})\.(?:lock|done\.journal|\d{6,}\.journal)", re.ASCII)


def default_directory() -> str:
    """Where journals are when nobody says where: in the user's state directory."""
    import platformdirs

    return str(platformdirs.user_state_path("agentops-otel") / "journal")


class OwnerFiles:
    """The files of one owner, locked by this process. Not thread-safe."""

    def __init__(self, directory: Path, name: str, lock: int) -> None:
        self._directory = directory
        self.name = name
        self._lock = lock

    def segment(self, number: int) -> Path:
        """The path of a segment; the numbers go up."""
        return self._directory / f"{self.name}.{number:06}.journal"

    def segments(self) -> list[Path]:
        """The segments that are there, the oldest first."""
        found = (path for path in self._directory.glob(f"{self.name}.*.journal") if path != self._sidecar)
        return sorted(found, key=lambda path: (len(path.name), path.name))

    @property
    def _sidecar(self) -> Path:
        return self._directory / f"{self.name}.done.journal"

    def sidecar(self) -> list[Path]:
        """Where it stands what was sent of a dead owner's spans; empty before the first `note`."""
        return [self._sidecar] if self._sidecar.is_file() else []

    def note(self, payload: bytes) -> None:
        """Adds a record to the sidecar. Raises OSError where it cannot be written."""
        file = os.open(self._sidecar, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            data = format.framed(payload)
            if not os.fstat(file).st_size:
                data = format.header() + data
            while data:  # a torn record is skipped by who reads it
                data = data[os.write(file, data) :]
        finally:
            os.close(file)

    def is_there(self) -> bool:
        """Whether nobody has removed the files."""
        return (self._directory / f"{self.name}.lock").exists()

    def remove(self) -> None:
        """Deletes the files, the lock last: who finds a lock alone finds nothing to do."""
        for path in [*self.segments(), *self.sidecar(), self._directory / f"{self.name}.lock"]:
            with suppress(OSError):
                path.unlink()
        self.release()

    def release(self) -> None:
        """Gives the lock up; the files stay. In a forked child: closes what it has of its parent's lock."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


class Place:
    """A directory of journals."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def new_owner(self) -> OwnerFiles:
        """Files for this process. Raises OSError where there can be none, and where files cannot be locked."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            name = f"{_now()}Z-{secrets.token_hex(8)}"
            path = self.directory / f"{name}.lock"
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                if _locked(lock, path):
                    return OwnerFiles(self.directory, name, lock)
            except OSError:
                os.close(lock)
                path.unlink(missing_ok=True)
                raise
            os.close(lock)  # somebody who looks for the dead was faster

    def dead(self) -> Iterator[OwnerFiles]:
        """The files of owners that are dead, the oldest first, claimed: release or remove each of them."""
        for name in self._owners():
            claimed = self._claim(name)
            if claimed is not None:
                yield claimed

    def has_dead(self) -> bool:
        """Whether there is an owner that is dead."""
        with suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                claimed = self._claim(match[1]) if match is not None and entry.name.endswith(".lock") else None
                if claimed is not None:
                    claimed.release()
                    return True
        return False

    def prune(self) -> list[str]:
        """Drops what is too old or too much of the dead owners' files; returns the names of these owners."""
        sizes = self._owners()
        dropped = []
        too_much = sum(sizes.values()) - MOST_BYTES
        now = datetime.now(timezone.utc)
        for name, size in sizes.items():
            if too_much > 0 or (now - _born(name)).total_seconds() > OLDEST:
                claimed = self._claim(name)
                if claimed is not None:
                    claimed.remove()
                    dropped.append(name)
                    too_much -= size
        return dropped

    def _owners(self) -> dict[str, int]:
        """The bytes of every owner by its name, the oldest first."""
        sizes: dict[str, int] = defaultdict(int)
        with suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match is not None:
                    with suppress(OSError):
                        sizes[match[1]] += entry.stat(follow_symlinks=False).st_blocks * 512
        return dict(sorted(sizes.items()))

    def _claim(self, name: str) -> OwnerFiles | None:
        path = self.directory / f"{name}.lock"
        try:
            lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if _locked(lock, path):
                return OwnerFiles(self.directory, name, lock)
        except OSError:
            pass
        os.close(lock)
        return None


def _locked(lock: int, path: Path) -> bool:
    """Takes the lock; false if somebody has it, or the file is not there any more, or it is not ours.

    Raises OSError on a file system that has no locks.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    held = os.fstat(lock)
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino) and (
        stat.S_ISREG(held.st_mode) and held.st_uid == os.geteuid()
    )


def _now() -> str:
    # Not by datetime, whose strftime imports something: this may be the shutdown of the interpreter.
    nanoseconds = time.time_ns()
    seconds = time.strftime("%Y%m%dT%H%M%S", time.gmtime(nanoseconds // 10**9))
    return f"{seconds}{nanoseconds % 10**9 // 1000:06}"


def _born(name: str) -> datetime:
    try:
        return datetime.strptime(name.partition("Z")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=timezone.utc)
    except ValueError:  # digits that are no date
        return datetime.fromtimestamp(time.time(), timezone.utc)
