"""A program of the AgentOps SDK that calls models: sys.argv[1] is the server, [2] when it imports the client."""

import sys

import agentops_otel.compat as agentops

if sys.argv[2] == "before":
    import openai

if sys.argv[2] == "uninitialized":
    agentops.start_session()
else:
    agentops.init(api_key="00000000-0000-0000-0000-000000000000", instrument_llm_calls=sys.argv[2] != "unwanted")

if sys.argv[2] != "before":
    import openai

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="none")
client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": "hello"}])
agentops.end_session("Success")
