"""What a decorated function costs where nothing is recorded, against a decorator that does nothing."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.interleaved import Comparison, compare
from benchmarks.run import Row

import agentops_otel as ao

_WITHOUT_AN_SDK = """
import sys
sys.path.insert(0, sys.argv[1])
from benchmarks import decorated
found = decorated.compared()
assert "opentelemetry.sdk.trace" not in sys.modules
print(found.raw, found.ours, found.ratio)
"""


def without_an_sdk() -> Row:
    """In a fresh process: this one has the SDK."""
    command = [sys.executable, "-c", _WITHOUT_AN_SDK, str(Path(__file__).parent.parent)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return _row("no SDK", Comparison(*map(float, printed.split())), at_most=2)


def suppressed() -> Row:
    from benchmarks.pipelines import provider
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    made = provider()
    ao.configure(tracer_provider=made, signals=False)
    with suppress_instrumentation():
        found = compared()
    made.shutdown()
    return _row("suppressed", found, at_most=4)


def compared() -> Comparison:
    """Calls through a plain decorator, and through one of ours."""
    plain, ours = _plain(_work), ao.tool(_work)
    return compare(lambda: plain(1), lambda: ours(1), rounds=60, calls=20_000)


def _work(number: int) -> int:
    return number


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def _row(why: str, found: Comparison, at_most: float) -> Row:
    what = f"call of a decorated function of which nothing is recorded ({why}), against a plain decorator"
    return Row(what, f"{found.raw * 1e3:.0f} ns", f"{found.ours * 1e3:.0f} ns", found.ratio, "", at_most)
