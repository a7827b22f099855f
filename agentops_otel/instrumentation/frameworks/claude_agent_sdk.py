"""The Claude Agent SDK: a run is a program of its own, of which only the messages are known here.

Each answer to a prompt is an ``invoke_agent`` span, with the tokens that it took, above an ``execute_tool`` span for
each call of a tool. OpenInference's instrumentation does the same; where it is loaded, only the conversation is read.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import suppress
from types import ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry import context, propagate, trace
from opentelemetry.trace import Status, StatusCode

from ... import semconv
from ...decorators.decorator import OperationDecorator
from ...decorators.kinds import AGENT
from ...runtime import runtime
from ...sessions.registry import Registry
from ...shield import Shield
from .wrapping import Wrapping

_NAME: Final = "claude"
_PROVIDER: Final = "anthropic"
_OTHER: Final = "openinference.instrumentation.claude_agent_sdk"
_TRACING_MCP: Final = "mcp.server._otel"
"""Where MCP is new enough to have a span of its own for each call of a tool in this process."""

_INPUT: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""What Anthropic counts beside each other, where the conventions count what came from the cache among the input."""

_USAGE: Final = {
    semconv.GEN_AI_USAGE_OUTPUT_TOKENS: "output_tokens",
    semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: "cache_read_input_tokens",
    semconv.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: "cache_creation_input_tokens",
}

_READING = Shield("reading a message of the Claude Agent SDK")

_answering: WeakKeyDictionary[object, context.Context] = WeakKeyDictionary()
"""By the connection of a client, the context of the answer that is being read: connections are made outside of it."""


def install(claude_agent_sdk: ModuleType, wrapping: Wrapping) -> None:
    wrapping.wrap("_internal.client.InternalClient.process_query", _run)
    wrapping.wrap("ClaudeSDKClient.receive_response", _run)
    wrapping.wrap("_internal.query.Query._handle_sdk_mcp_request", _in_answer)


def _run(run: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    is_told = _OTHER in sys.modules
    options = kwargs.get("options") or getattr(client, "options", None)

    async def answer() -> AsyncGenerator[Any, None]:
        # Without parameters: options of a run have secrets among them.
        told = _Run(runtime.registry, trace.get_current_span(), is_told, _servers(options))
        connection = getattr(client, "_query", None)
        if connection is not None:
            _answering[connection] = context.get_current()
        messages = run(*args, **kwargs)
        try:
            async for message in messages:
                told.read(message)
                yield message
        except GeneratorExit:
            # At its end an event loop closes all generators at once, and then they cannot close each other.
            with suppress(RuntimeError):
                await messages.aclose()
            raise
        finally:
            if connection is not None:
                _answering.pop(connection, None)
            told.over()

    if is_told:
        return answer()
    return OperationDecorator(runtime, AGENT, _NAME, _conversation(options))(answer)()


def _in_answer(handle: Callable[..., Any], connection: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Lets a tool that runs in this process know which answer calls it, as MCP does it."""
    around = _answering.get(connection)
    if around is not None:
        with _READING:
            message = kwargs.get("message") or args[1]
            if message["method"] == "tools/call":
                propagate.inject(message["params"].setdefault("_meta", {}), around)
    return handle(*args, **kwargs)


def _conversation(options: Any) -> dict[str, str]:
    """The dialogue that a run begins or goes on with, where the program says so."""
    said = getattr(options, "session_id", None)
    if said is None and not getattr(options, "fork_session", False):
        said = getattr(options, "resume", None)
    return {semconv.GEN_AI_CONVERSATION_ID: said} if isinstance(said, str) else {}


def _servers(options: Any) -> Collection[str]:
    """Names of the MCP servers of a run whose calls have a span already."""
    servers = getattr(options, "mcp_servers", None)
    if _TRACING_MCP not in sys.modules or not isinstance(servers, dict):
        return ()
    return {name for name, server in servers.items() if isinstance(server, dict) and server.get("type") == "sdk"}


class _Run:
    """What the messages of a run say of it, written on its span and on those of its tools."""

    def __init__(self, registry: Registry, root: trace.Span, is_told: bool, servers: Collection[str]) -> None:
        self._registry = registry
        self._record = registry.current()
        self._root = root
        self._is_told = is_told
        self._prefixes = tuple(f"mcp__{server}__" for server in servers)
        self._tools: dict[str, trace.Span] = {}
        """Those that run, by the id of the call."""

    def read(self, message: Any) -> None:
        with _READING:
            self._read_conversation(message)
            if not self._is_told:
                self._read_tools(message)
                if hasattr(message, "is_error"):
                    self._read_result(message)

    def over(self) -> None:
        """Tools of a run that nobody reads any longer are over with it."""
        for span in self._tools.values():
            span.end()
        self._tools.clear()

    def _read_conversation(self, message: Any) -> None:
        # It calls its dialogues sessions. The first message of all brings the id among other data.
        said = getattr(message, "session_id", None) or (getattr(message, "data", None) or {}).get("session_id")
        record = self._record
        if said and record is not None and semconv.GEN_AI_CONVERSATION_ID not in record.ids:
            known = {semconv.GEN_AI_CONVERSATION_ID: said}
            self._registry.learn(record, known)
            self._root.set_attributes(known)

    def _read_tools(self, message: Any) -> None:
        content = getattr(message, "content", None)
        for block in content if isinstance(content, list) else ():
            kind = type(block).__name__
            if kind == "ToolUseBlock":
                self._tool_starts(block, getattr(message, "parent_tool_use_id", None))
            elif kind == "ToolResultBlock":
                self._tool_ends(block)

    def _tool_starts(self, call: Any, caller: str | None) -> None:
        tracer = runtime.tracer()
        if tracer is not None and self._root.is_recording() and not call.name.startswith(self._prefixes):
            # An agent that was called as a tool calls tools of its own.
            above = self._root if caller is None else self._tools.get(caller, self._root)
            self._tools[call.id] = tracer.start_span(
                f"{semconv.TOOL_OPERATION} {call.name}",
                context=trace.set_span_in_context(above),
                attributes={
                    semconv.GEN_AI_OPERATION_NAME: semconv.TOOL_OPERATION,
                    semconv.GEN_AI_TOOL_NAME: call.name,
                    semconv.GEN_AI_TOOL_CALL_ID: call.id,
                },
            )

    def _tool_ends(self, result: Any) -> None:
        span = self._tools.pop(result.tool_use_id, None)
        if span is not None:
            if result.is_error:
                _fail(span, semconv.ERROR_TYPE_OTHER)
            span.end()

    def _read_result(self, result: Any) -> None:
        usage = result.usage or {}
        said: dict[str, Any] = {name: usage[key] for name, key in _USAGE.items() if usage.get(key)}
        said[semconv.GEN_AI_USAGE_INPUT_TOKENS] = sum(usage.get(key) or 0 for key in _INPUT)
        said[semconv.GEN_AI_PROVIDER_NAME] = _PROVIDER
        models = result.model_usage or {}
        if len(models) == 1:  # what several took together is of none of them
            said[semconv.GEN_AI_RESPONSE_MODEL] = next(iter(models))
        self._root.set_attributes(said)
        if result.is_error:
            _fail(self._root, result.subtype)


def _fail(span: trace.Span, kind: str) -> None:
    span.set_attribute(semconv.ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))
