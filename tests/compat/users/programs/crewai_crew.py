"""A crew of CrewAI that uses a tool, as its documentation has it be observed by AgentOps."""

from typing import Any

import agentops
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

agentops.init("a key", default_tags=["crew"])


@tool("population")
def population(city: str) -> str:
    """How many people live in a city."""
    return f"2 million people live in {city}"


class Model(LLM):
    """The model of this server asks for tools as the interface of OpenAI has it, but this release wants it in words."""

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        if "Observation:" in str(messages[-1]):
            return super().call(messages, *args, **kwargs)
        return 'Thought: I have to look it up.\nAction: population\nAction Input: {"city": "Paris"}'


geographer = Agent(
    role="Geographer",
    goal="Answer.",
    backstory="You know.",
    llm=Model(model="openai/gpt-4o-mini"),
    tools=[population],
)
task = Task(description="What is the population of Paris?", expected_output="An answer.", agent=geographer)
print(Crew(agents=[geographer], tasks=[task]).kickoff())
