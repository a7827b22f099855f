"""An agent of CAMEL that uses a tool, as its cookbook traces one with AgentOps."""

import os
from typing import Any

import agentops
from camel.agents import ChatAgent
from camel.models import SambaModel
from camel.toolkits import BaseToolkit, FunctionTool
from camel.utils import BaseTokenCounter
from openai import OpenAI


class Words(BaseTokenCounter):
    """Counts words: what counts tokens would load a vocabulary from the network."""

    def count_tokens_from_messages(self, messages: list[Any]) -> int:
        return len(str(messages).split())

    def encode(self, text: str) -> list[int]:
        return [0] * len(text.split())

    def decode(self, token_ids: list[int]) -> str:
        return ""


class Geography(BaseToolkit):
    """Its tools are recorded by the metaclass."""

    def population(self, city: str) -> str:
        """How many people live in a city.

        Args:
            city: which.
        """
        return f"2 million people live in {city}"

    def get_tools(self) -> list[FunctionTool]:
        return [FunctionTool(self.population)]


agentops.init(default_tags=["camel"])
client = OpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="none")
model = SambaModel("gpt-4o-mini", api_key="none", client=client, token_counter=Words())
agent = ChatAgent("You know geography.", model=model, tools=Geography().get_tools())
print(agent.step("What is the population of Paris?").msgs[0].content)
agentops.end_session("Success")
