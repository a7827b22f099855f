"""CrewAI, with the instrumentation of OpenInference for it and the official one of the OpenAI client."""

from __future__ import annotations

import pytest
from frameworks.harness import CANCELLED, COMPLETED, CONVERSATION, EXITED, Framework, Scenarios, Stage, watch_it_leave


class TestCrewAI(Scenarios):
    framework = Framework(
        "crewai",
        ways=(
            "one_in_a_thread",
            "one_async",
            "one_flow",
            "one_flow_async",
            "one_agent",
            "stream_async",
            "stream_of_a_flow",
            "stream_of_a_flow_async",
        ),
        conversation_id=None,
        # Who leaves a stream of it waits until the crew is done.
        stream_left=(COMPLETED,),
        stream_left_exit=(COMPLETED, EXITED),
        env={"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_DISABLE_VERSION_CHECK": "true", "CREWAI_TESTING": "true"},
    )

    @pytest.mark.parametrize("of_a_flow", ["conversation_of_a_flow", "conversation_of_a_flow_async"])
    def test_two_runs_of_a_conversation_of_a_flow(self, stage: Stage, of_a_flow: str) -> None:
        played = stage.play(of_a_flow)
        played.check(runs=2)
        played.check_counts()
        for run in played.runs:
            assert run.conversation_ids() == {CONVERSATION}, played

    def test_an_async_stream_that_is_left_while_the_process_goes_on(self, stage: Stage) -> None:
        # It does not wait for who reads it, so it may be done before.
        stage.play("stream_async_left", during=watch_it_leave).check(runs=1, ending=(CANCELLED, COMPLETED))

    def test_an_async_stream_that_is_left_at_the_end_of_the_process(self, stage: Stage) -> None:
        stage.play("stream_async_left_exit").check(runs=1, ending=(CANCELLED, COMPLETED, EXITED))
