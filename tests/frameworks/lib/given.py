"""What the programs share: their questions, their tools, and how they wait. Knows no framework and no telemetry.

The scripted model calls each tool that a question mentions, once, and repeats the result in its answer.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

CITIES = ("Paris", "Lisbon", "Oslo")
"""Each run is about another one."""

CONVERSATION = "conversation-17"
APPROVAL = "Get approval for the trip to Paris."
QUIT = "Quit the program and go to Paris."


def about(city: str) -> str:
    """The question of a run that ends well."""
    return f"What is the population of {city}?"


def population(city: str) -> str:
    """The number of people who live in a city.

    Args:
        city: Name of the city.
    """
    return f"2,102,650 people live in {city}"


def approval(request: str) -> str:
    """Ask a human for approval, who takes ten minutes.

    Args:
        request: What to approve.
    """
    print("waiting", flush=True)
    time.sleep(600)
    return f"approved: {request}"


def quit_program(reason: str) -> str:
    """Quit the program.

    Args:
        reason: Why.
    """
    sys.exit(3)


TOOLS = (population, approval, quit_program)

_may_go_on = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: _may_go_on.set())


def go_on() -> None:
    """The program has left a stream and does something else, until the test has seen what it wanted to see."""
    print("left", flush=True)
    if not _may_go_on.wait(60):
        raise TimeoutError


async def go_on_in_loop() -> None:
    """The same, while the event loop runs."""
    await asyncio.to_thread(go_on)


def in_threads(run: Callable[[str], object]) -> None:
    """A run for each city, at the same time."""
    threads = [threading.Thread(target=run, args=(city,)) for city in CITIES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(*scenarios: Callable[[], Any]) -> None:
    """Runs the one that is named on the command line."""
    [chosen] = [scenario for scenario in scenarios if scenario.__name__ == sys.argv[1]]
    result = chosen()
    if inspect.iscoroutine(result):
        asyncio.run(result)


def _note_strangers(event: str, arguments: tuple[Any, ...]) -> None:
    # Clients that take no notice of the proxy, which records what the others ask for.
    if event in ("socket.connect", "socket.getaddrinfo"):
        address = arguments[1] if event == "socket.connect" else arguments[0]
        host = address[0] if isinstance(address, tuple) else address
        # A path is a socket of this machine.
        if host not in (None, "", "localhost", "::1") and not str(host).startswith(("127.", "/", "b'")):
            with open(os.environ["STRANGERS"], "a", encoding="utf-8") as file:
                file.write(f"{host}\n")


sys.addaudithook(_note_strangers)
