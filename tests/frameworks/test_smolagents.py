"""smolagents, with the official instrumentations of it, which tells of no tools, and of the OpenAI client."""

from __future__ import annotations

from frameworks.harness import Framework, Scenarios


class TestSmolagents(Scenarios):
    framework = Framework("smolagents", conversation_id=None, tools=0)
