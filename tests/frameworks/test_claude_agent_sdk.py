"""The Claude Agent SDK, with the program of Claude Code that it brings along, against a local model."""

from __future__ import annotations

from collections import Counter

from frameworks.harness import CANCELLED, EXITED, Framework, Played, Scenarios, city_of, usage_of


class TestClaudeAgentSDK(Scenarios):
    framework = Framework(
        "claude-agent-sdk",
        ways=("one_client",),
        conversations=("conversation", "conversation_client"),
        conversation_id="6f0d4c5e-5d3b-4a53-9b1c-0c8b1f6a7d11",
        sys_exit=(CANCELLED, EXITED),
        # A client asks its servers for their tools before it is asked anything itself.
        outside=frozenset({"initialize", "notifications/initialized", "tools/list"}),
        env={"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    )

    def check_counts(self, played: Played) -> None:
        """The program tells of all calls together, so that they count as one."""
        answered: Counter[str] = Counter()
        for request in played.requests:
            usage = usage_of(request)
            answered[f"{city_of(request)} in"] += usage.input
            answered[f"{city_of(request)} out"] += usage.output
        told = [(run.total("usage.input_tokens"), run.total("usage.output_tokens")) for run in played.runs]
        cities = {city_of(request) for request in played.requests}
        assert sorted(told) == sorted((answered[f"{city} in"], answered[f"{city} out"]) for city in cities), played
        assert {run.total("inference.calls") for run in played.runs} == {1}, played
        assert {run.total("tool.calls") for run in played.runs} == {1}, played
