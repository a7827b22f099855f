"""Real Jupyter kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from support.programs import clean_environment


class Kernel:
    """A Python kernel, as a notebook has one."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._environment = clean_environment() | dict(environment)
        self._manager = KernelManager(kernel_name="python3")
        self._client: BlockingKernelClient = self._start()

    def run(self, cell: str) -> str:
        """Runs a cell, and returns what it wrote to stdout; an AssertionError if it raised something."""
        output: list[str] = []

        def keep(message: Mapping[str, Any]) -> None:
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                output.append(message["content"]["text"])

        reply = self._client.execute_interactive(cell, timeout=30, output_hook=keep)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
        return "".join(output)

    def restart(self) -> None:
        """What "Restart" in the menu does: the kernel is asked to end, and a new one starts."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(restart=True)
        self._client = self._start()

    def kill_and_start_again(self) -> None:
        """What happens after a crash: the kernel is dead at once, and a new one starts."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True, restart=True)
        self._client = self._start()

    def close(self) -> None:
        """Has the kernel end, as closing a notebook does."""
        self._client.stop_channels()
        self._manager.shutdown_kernel()

    def _start(self) -> BlockingKernelClient:
        self._manager.start_kernel(env=self._environment, cwd=str(self._folder))
        client = self._manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=30)
        return client


@contextmanager
def kernel(environment: Mapping[str, str], folder: Path) -> Iterator[Kernel]:
    """A kernel that works in a folder, and is gone after the block."""
    started = Kernel(environment, folder)
    try:
        yield started
    finally:
        started._client.stop_channels()
        started._manager.shutdown_kernel(now=True)
        started._manager.cleanup_resources()
