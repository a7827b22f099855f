"""The Anthropic client in sessions that the program has: it writes spans itself, and so does its instrumentation."""

from __future__ import annotations

from frameworks.harness import Framework, Scenarios


class TestAnthropic(Scenarios):
    framework = Framework(
        "anthropic",
        ways=("one_async",),
        also=("stream_left_async", "three_at_once_async"),
    )
