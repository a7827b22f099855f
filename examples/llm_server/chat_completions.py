"""OpenAI: POST /v1/chat/completions."""

import json
import secrets
import time
from collections.abc import Iterator

from .brain import Json, Prompt, Reply, Tool, ToolCall, Turn, pieces


def parse(body: Json) -> Prompt:
    choice = body.get("tool_choice") or "auto"
    answer_format = body.get("response_format") or {}
    return Prompt(
        model=body["model"],
        turns=[parse_message(message) for message in body["messages"]],
        tools=[
            Tool(tool["function"]["name"], tool["function"].get("parameters") or {})
            for tool in body.get("tools") or []
            if tool["type"] == "function"
        ],
        tool_choice=choice if isinstance(choice, str) else choice["function"]["name"],
        one_tool_at_a_time=body.get("parallel_tool_calls") is False,
        answer_schema=answer_format.get("json_schema", {}).get("schema"),
    )


def parse_message(message: Json) -> Turn:
    content = message.get("content") or ""
    text = content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
    called = [call["function"]["name"] for call in message.get("tool_calls") or []]
    role = message["role"]
    # Some agents hand a tool's result back as the user's words.
    if role == "user" and text.startswith("Observation:"):
        role = "tool"
    return Turn("system" if role == "developer" else role, text, called)


def answer(body: Json, reply: Reply) -> Json:
    message: Json = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.calls:
        message["tool_calls"] = [call_to_json(call) for call in reply.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(reply)}
    return {**head(body, "chat.completion"), "choices": [choice], "usage": usage_to_json(reply)}


def stream(body: Json, reply: Reply) -> Iterator[Json | str]:
    include_usage = (body.get("stream_options") or {}).get("include_usage", False)
    common = head(body, "chat.completion.chunk") | ({"usage": None} if include_usage else {})

    def chunk(delta: Json, finish_reason: str | None = None) -> Json:
        return {
            **common,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
        }

    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for piece in pieces(reply.text):
        yield chunk({"content": piece})
    for index, call in enumerate(reply.calls):
        whole = call_to_json(call)
        arguments = whole["function"]["arguments"]
        yield chunk({"tool_calls": [{"index": index, **whole, "function": {"name": call.name, "arguments": ""}}]})
        for piece in pieces(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, finish_reason(reply))
    if include_usage:
        yield {**common, "choices": [], "usage": usage_to_json(reply)}
    yield "[DONE]"


def error(status: int, message: str) -> Json:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def head(body: Json, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{secrets.token_hex(14)}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
    }


def finish_reason(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def call_to_json(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": f"call_{call.id}", "type": "function", "function": function}


def usage_to_json(reply: Reply) -> Json:
    usage = reply.usage
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
