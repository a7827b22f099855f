"""Real child processes, with a clean environment and a deadline for everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

Command = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Outcome:
    """How a program ended; a returncode below zero is the signal that killed it."""

    returncode: int
    stdout: str
    stderr: str


def script(name: str) -> Path:
    """The program tests/scripts/<name>.py."""
    return Path(__file__).parent.parent / "scripts" / f"{name}.py"


def run(
    command: Command,
    env: Mapping[str, str] | None = None,
    *,
    python: str = sys.executable,
    cwd: Path | None = None,
    timeout: float = 30,
) -> Outcome:
    """Runs a program to its end."""
    with Program.start(command, env=env, python=python, cwd=cwd) as program:
        return program.wait(timeout)


def clean_environment() -> dict[str, str]:
    # Nothing else of the parent's environment gets in: OTEL_*, PYTHON* and proxies would change the result.
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    # A journal is what programs share: one would send what another has left. Who wants one says where.
    clean["OTEL_PYTHON_AGENTOPS_JOURNAL"] = "off"
    # What is installed for a few tests would make each start of `agentops-otel run` take five times as long.
    clean["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = "anthropic,celery,fastapi,openai,threading"
    # Where the package is not installed, this says where the programs find it.
    where = os.environ.get("AGENTOPS_TEST_PYTHONPATH")
    return clean | ({"PYTHONPATH": where} if where else {})


class Program:
    """A running program in a session of its own; leaving the block kills it and all it started there."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self._output = process.stdout
        self._changed = threading.Condition()
        self._stdout: list[str] = []
        self._stderr: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True, name=f"output-{self.pid}")
            for pair in ((process.stdout, self._stdout), (process.stderr, self._stderr))
        ]
        for reader in self._readers:
            reader.start()

    @classmethod
    def start(
        cls,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        python: str = sys.executable,
        cwd: Path | None = None,
    ) -> Program:
        """Starts a program.

        Args:
            command: A program or its words. `python` runs it if the first word is a .py file or an option of
                the interpreter (`-c`, `-m`).
            env: Variables on top of the clean environment.
            python: The interpreter.
            cwd: The working directory.
        """
        words = [str(word) for word in ([command] if isinstance(command, (str, Path)) else command)]
        if words[0].endswith(".py") or words[0].startswith("-"):
            words.insert(0, python)
        process = subprocess.Popen(
            words,
            env=clean_environment() | {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"} | dict(env or {}),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        """What it wrote so far, in whole lines."""
        return "".join(self._stdout)

    @property
    def stderr(self) -> str:
        """What it wrote so far, in whole lines."""
        return "".join(self._stderr)

    def wait_for_line(self, text: str, timeout: float = 30) -> str:
        """Blocks until stdout has a line that equals `text`, and returns it."""
        line = text + "\n"
        with self._changed:
            self._changed.wait_for(lambda: line in self._stdout or self._output.closed, timeout)
            if line in self._stdout:
                return text
            problem = "stdout ended" if self._output.closed else f"{timeout} s passed"
        raise AssertionError(self._describe(f"{problem} without the line {text!r}"))

    def send(self, number: int) -> None:
        """Sends a signal to the program, not to what it started."""
        self.process.send_signal(number)

    def wait(self, timeout: float = 30) -> Outcome:
        """Waits for its end, and for the end of everything that holds its output open.

        After `timeout` seconds the whole group is killed and an AssertionError shows the output.
        """
        deadline = time.monotonic() + timeout
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout)
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        code = self.process.poll()
        if code is not None and not any(reader.is_alive() for reader in self._readers):
            return Outcome(code, self.stdout, self.stderr)
        self.kill()
        state = "still running" if code is None else f"ended with {code}, its output still held open"
        raise AssertionError(self._describe(f"{state} after {timeout} s"))

    def kill(self) -> None:
        """Kills the whole group and reaps the program."""
        with suppress(ProcessLookupError, PermissionError):  # The latter is how macOS says it of a zombie.
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        for reader in self._readers:
            reader.join(5)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _describe(self, problem: str) -> str:
        return f"{self.process.args!r}: {problem}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
