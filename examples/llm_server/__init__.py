"""A local LLM server with a scripted model: no key, no network, the same answer every time.

    with LLMServer() as server:
        client = OpenAI(base_url=server.base_url, api_key="none")

`server` speaks HTTP, `brain` is the model, and each wire format is one module named after its endpoint:
`chat_completions`, `responses` and `embeddings` (OpenAI), `messages` (Anthropic).
"""

from .server import LLMServer

__all__ = ["LLMServer"]
