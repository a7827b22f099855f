"""AutoGen, which writes its spans itself, with the official instrumentation of the OpenAI client."""

from __future__ import annotations

from frameworks.harness import CANCELLED, Framework, Scenarios, Stage, watch_it_leave


class TestAutoGen(Scenarios):
    framework = Framework(
        "autogen",
        ways=("one_team", "one_team_streamed"),
        conversations=("conversation", "conversation_of_a_team"),
        conversation_id=None,
        sys_exit=(CANCELLED,),
        outside=frozenset({"create_agent geographer", "create_agent reader"}),
    )

    def test_a_stream_of_a_team_that_is_left_while_the_process_goes_on(self, stage: Stage) -> None:
        played = stage.play("stream_of_a_team_left", during=watch_it_leave)
        played.check(runs=1, ending=self.framework.stream_left)

    def test_a_stream_of_a_team_that_is_left_at_the_end_of_the_process(self, stage: Stage) -> None:
        played = stage.play("stream_of_a_team_left_exit")
        played.check(runs=1, ending=self.framework.stream_left_exit)
