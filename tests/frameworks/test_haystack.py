"""Haystack, with the official instrumentation of the OpenAI client."""

from __future__ import annotations

from frameworks.harness import Framework, Scenarios


class TestHaystack(Scenarios):
    framework = Framework(
        "haystack",
        ways=("one_async", "one_generator", "one_agent", "one_agent_async"),
        also=("stream_left_generator", "sys_exit_agent", "sigterm_agent", "three_at_once_agents"),
        conversation_id=None,
        env={"HAYSTACK_TELEMETRY_ENABLED": "false"},
    )
