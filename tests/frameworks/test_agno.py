"""Agno, with the official instrumentations of it and of the OpenAI client."""

from __future__ import annotations

from frameworks.harness import Framework, Scenarios


class TestAgno(Scenarios):
    framework = Framework(
        "agno",
        ways=(
            "one_async",
            "one_team",
            "one_team_async",
            "one_workflow",
            "one_workflow_async",
            "one_workflow_streamed",
            "stream_async",
        ),
        conversations=(
            "conversation",
            "conversation_of_an_agent",
            "conversation_of_a_team",
            "conversation_of_a_workflow",
        ),
        also=("stream_left_async", "stream_left_exit_async"),
        env={"AGNO_TELEMETRY": "false"},
    )
