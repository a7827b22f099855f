"""An agent of LlamaIndex that uses a tool, with AgentOps as the global handler of its callbacks."""

import os
from typing import Any

from llama_index.core import set_global_handler
from llama_index.core.agent import FunctionCallingAgent
from llama_index.core.llms import ChatResponse
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI


class Model(OpenAI):
    """The handler reads the usage of an answer that is a dict."""

    def _chat(self, *args: Any, **kwargs: Any) -> ChatResponse:
        answer = super()._chat(*args, **kwargs)
        answer.raw = answer.raw.model_dump()
        return answer


def population(city: str) -> str:
    """How many people live in a city."""
    return f"2 million people live in {city}"


set_global_handler("agentops", tags=["llama-index"])
model = Model("gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"])
agent = FunctionCallingAgent.from_tools([FunctionTool.from_defaults(population)], llm=model)
print(agent.chat("What is the population of Paris?"))
