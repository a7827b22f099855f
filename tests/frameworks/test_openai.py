"""The OpenAI client in sessions that the program has, with its official instrumentation."""

from __future__ import annotations

from frameworks.harness import Framework, Scenarios


class TestOpenAI(Scenarios):
    framework = Framework(
        "openai",
        ways=("one_async", "one_by_responses"),
        also=("stream_left_async", "three_at_once_async"),
    )
