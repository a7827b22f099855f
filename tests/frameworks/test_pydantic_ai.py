"""Pydantic AI, which has spans of its own."""

from __future__ import annotations

import pytest
from frameworks.harness import CANCELLED, Framework, Scenarios, Stage


class TestPydanticAI(Scenarios):
    framework = Framework(
        "pydantic-ai",
        ways=("one_sync", "one_iter", "stream_events"),
        also=("stream_left_events", "stream_left_iter"),
        conversations=("conversation", "conversation_sync", "conversation_streamed"),
        # It exits in a task, and with it the event loop cancels the run.
        sys_exit=(CANCELLED,),
    )

    def test_its_spans_have_content_only_where_the_user_wants_it(self, stage: Stage) -> None:
        wanted = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}
        for env, is_there in (({}, False), (wanted, True)):
            played = stage.play("one", env=env)
            said = "".join(str(span.attributes) for span in played.run().spans)
            assert ("What is the population of Paris?" in said) is is_there, played

    @pytest.mark.parametrize("name", ["pydantic-ai", "pydantic_ai"])
    def test_its_spans_are_off_where_the_user_wants_that(self, stage: Stage, name: str) -> None:
        played = stage.play("one", env={"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": name})
        assert (played.outcome.returncode, played.spans) == (0, ()), played

    def test_what_the_program_chooses_counts(self, stage: Stage) -> None:
        played = stage.play("one_as_chosen")
        assert "What is the population of Paris?" in str(played.run().root.attributes), played
