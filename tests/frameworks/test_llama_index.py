"""LlamaIndex, with the official instrumentations of it and of the OpenAI client."""

from __future__ import annotations

from frameworks.harness import CANCELLED, COMPLETED, Framework, Scenarios


class TestLlamaIndex(Scenarios):
    framework = Framework(
        "llama-index",
        ways=("one_of_agents", "one_workflow"),
        conversation_id=None,
        stream_left=(COMPLETED,),  # the stream only tells of the run, which goes on
        sys_exit=(CANCELLED,),
    )
