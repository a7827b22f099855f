"""Run the server alone: `cd examples && python -m llm_server --port 8000`."""

import argparse
from contextlib import suppress

from .server import LLMServer

parser = argparse.ArgumentParser(prog="llm_server", description="A local LLM server with a scripted model.")
parser.add_argument("--port", type=int, default=0, help="default: any free port")

with LLMServer(parser.parse_args().port) as server, suppress(KeyboardInterrupt):
    print(f"OpenAI: base_url={server.base_url}   Anthropic: base_url={server.url}   any key", flush=True)
    server.wait()
