"""The callback handlers of LangChain. With LangChain: ``nox -s "compat(langchain)"``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from llm_server import LLMServer
from support.otlp import Receiver
from support.programs import Outcome, run

INSTALL = "import agentops_otel.compat\nagentops_otel.compat.install()\n"
MODULES = (
    "agentops",
    "agentops.integration.callbacks.langchain",
    "agentops.langchain_callback_handler",
    "agentops.partners.langchain_callback_handler",
)
HANDLERS = ("LangchainCallbackHandler", "AsyncLangchainCallbackHandler")

is_there = importlib.util.find_spec("langchain_openai") is not None
needs_langchain = pytest.mark.skipif(not is_there, reason='needs LangChain: nox -s "compat(langchain)"')


def play(program: str, receiver: Receiver, directory: Path) -> Outcome:
    with LLMServer() as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": "none"}
        nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "HOME": str(directory)}
        words = [sys.executable, "-c", INSTALL + program]
        return run(words, receiver.environment() | model | nowhere, timeout=100)


@pytest.mark.skipif(importlib.util.find_spec("langchain_core") is not None, reason="LangChain is installed")
@pytest.mark.parametrize("module", MODULES)
def test_without_langchain_there_is_none(module: str) -> None:
    outcome = run(["-c", f"{INSTALL}import agentops, {module}\nfrom {module} import {HANDLERS[0]}"])
    assert "ImportError: cannot import name" in outcome.stderr
    outcome = run(["-c", f"{INSTALL}import agentops\nprint([hasattr(agentops, name) for name in {HANDLERS}])"])
    assert (outcome.stdout, outcome.stderr) == ("[False, False]\n", "")


def test_langchain_is_not_imported_for_nothing() -> None:
    outcome = run(["-c", f"{INSTALL}import agentops, sys\nprint('langchain_core' in sys.modules)"])
    assert (outcome.stdout, outcome.stderr) == ("False\n", "")


@needs_langchain
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("handler", HANDLERS)
def test_making_one_starts_a_session_in_which_langchain_reports(
    module: str, handler: str, receiver: Receiver, tmp_path: Path
) -> None:
    call = "invoke('hi')" if handler == HANDLERS[0] else "ainvoke('hi')"
    run_it = "print({}.content)" if handler == HANDLERS[0] else "import asyncio; print(asyncio.run({}).content)"
    program = f"""
from {module} import {handler}
from langchain_openai import ChatOpenAI

handler = {handler}(api_key="k", tags=["a"])
model = ChatOpenAI(model="gpt-4o-mini", callbacks=[handler])
{run_it.format(f"model.{call}")}
import agentops
agentops.end_session("Success")
"""
    outcome = play(program, receiver, tmp_path)

    assert outcome.returncode == 0, outcome.stderr
    [root] = receiver.sessions()
    assert (root.attributes["agentops.tags"], root.attributes["agentops.session.end_state"]) == (("a",), "success")
    [chat] = [span for span in receiver.spans if span.name == "chat gpt-4o-mini"]
    assert chat.parent_id == root.span_id


@needs_langchain
def test_in_a_session_that_is_open_it_starts_none(receiver: Receiver, tmp_path: Path) -> None:
    program = """
import agentops
from agentops import LangchainCallbackHandler
from langchain_openai import ChatOpenAI

agentops.init(auto_start_session=False, instrument_llm_calls=False)
with agentops.start_trace("t"):
    handlers = [LangchainCallbackHandler(default_tags=["a"]), LangchainCallbackHandler(tags="bc", endpoint="e")]
    ChatOpenAI(model="gpt-4o-mini", callbacks=handlers).invoke("hi")
"""
    outcome = play(program, receiver, tmp_path)

    assert outcome.returncode == 0, outcome.stderr
    [root] = receiver.sessions()
    assert (root.name, root.attributes["agentops.tags"]) == ("session t", ("a", "bc"))
    assert [span.name for span in receiver.spans] == ["chat gpt-4o-mini", "session t"]
