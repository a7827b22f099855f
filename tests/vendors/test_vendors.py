"""Other vendors' SDKs in the same program: nothing is lost, neither theirs nor ours.

Each needs an environment of its own: ``nox -s vendors``.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest
from support.deaths import END_REASON, END_STATE, SESSION_ID
from support.otlp import Receiver
from support.programs import Program

PROGRAMS = Path(__file__).parent / "programs"

VENDORS = ["logfire", "langfuse", "traceloop", "phoenix"]

End = Literal["exit", "signal", "shutdown"]
REASONS: Mapping[End, str] = {"exit": "process_exit", "signal": "signal", "shutdown": "provider_shutdown"}

ENDED = ["session ended", "invoke_agent ended"]
LEFT = ["session left", "left step", "invoke_agent left"]

QUIET = {
    "LANGFUSE_OTEL_TRACES_EXPORT_PATH": "v1/traces",
    "TRACELOOP_TELEMETRY": "false",
    "OTEL_METRICS_EXPORTER": "none",
}


def is_installed(vendor: str) -> bool:
    name = {"traceloop": "traceloop.sdk", "phoenix": "phoenix.otel"}.get(vendor, vendor)
    return find_spec(name.partition(".")[0]) is not None and find_spec(name) is not None


each_vendor = pytest.mark.parametrize(
    "vendor",
    [pytest.param(v, marks=pytest.mark.skipif(not is_installed(v), reason="not installed")) for v in VENDORS],
)


@pytest.fixture
def theirs() -> Iterator[Receiver]:
    """The vendor's endpoint."""
    with Receiver() as receiver:
        yield receiver


@each_vendor
@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("end", list(REASONS))
def test_everything_arrives_once_at_both(
    vendor: str, order: str, end: End, receiver: Receiver, theirs: Receiver
) -> None:
    environment = receiver.environment() | QUIET | {"VENDOR_ENDPOINT": theirs.http_endpoint, "PYTHONSAFEPATH": ""}
    with Program.start([PROGRAMS / f"with_{vendor}.py", order, end], env=environment) as program:
        if end == "signal":
            program.wait_for_line("ready")
            program.send(signal.SIGTERM)
        outcome = program.wait()
    assert outcome.returncode == (-signal.SIGTERM if end == "signal" else 0), outcome
    for arrived in (receiver, theirs):
        # Logfire sends what is going on to its own endpoint, too, as further spans.
        spans = [span for span in arrived.spans if span.attributes.get("logfire.span_type") != "pending_span"]
        names = Counter(span.name.removesuffix(".task") for span in spans)
        assert names == Counter([*ENDED, "step", *LEFT, "vendor's"]), f"{outcome}\n{arrived}"
        assert len({span.span_id for span in spans}) == len(spans)
        said = {span.name: span.attributes for span in spans}
        assert {(said[name][END_STATE], said[name][END_REASON]) for name in ENDED} == {("success", "completed")}
        assert {said[name][END_REASON] for name in LEFT} == {REASONS[end]}
        assert all(SESSION_ID in said[name] for name in (*ENDED, "step", *LEFT))
