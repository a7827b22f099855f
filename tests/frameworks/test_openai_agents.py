"""The OpenAI Agents SDK, with the official instrumentations of it and of the OpenAI client."""

from __future__ import annotations

from frameworks.harness import COMPLETED, Framework, Scenarios, Stage

SWITCH = "OTEL_PYTHON_AGENTOPS_OPENAI_EXPORT"


class TestOpenAIAgents(Scenarios):
    framework = Framework(
        "openai-agents",
        ways=("one_sync",),
        # It goes on by itself, in a task of its own, whoever reads its events.
        stream_left=(COMPLETED,),
        conversations=(
            "conversation",
            "conversation_sync",
            "conversation_streamed",
            "conversation_of_the_server",
        ),
    )

    def test_its_traces_are_not_sent_to_openai_and_that_is_said(self, stage: Stage) -> None:
        played = stage.play("conversation")
        assert played.strangers == (), played
        assert played.outcome.stderr.count(SWITCH) == 1, played

    def test_its_traces_are_sent_to_openai_where_the_user_wants_it(self, stage: Stage) -> None:
        played = stage.play("one", env={SWITCH: "true"})
        assert {"CONNECT api.openai.com:443 HTTP/1.1"} == set(played.strangers), played
        assert SWITCH not in played.outcome.stderr, played

    def test_the_group_of_a_run_is_its_conversation_before_anything_else(self, stage: Stage) -> None:
        played = stage.play("one_of_a_group")
        played.check(runs=1)
        assert played.run().conversation_ids() == {"group-1"}, played
