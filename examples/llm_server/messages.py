"""Anthropic: POST /v1/messages."""

import json
import secrets
from collections.abc import Iterator

from .brain import Json, Prompt, Reply, Tool, Turn, pieces


def parse(body: Json) -> Prompt:
    choice = body.get("tool_choice") or {"type": "auto"}
    system = [Turn("system", text_of(body["system"]))] if body.get("system") else []
    return Prompt(
        model=body["model"],
        turns=[*system, *(turn for message in body["messages"] for turn in parse_message(message))],
        # Tools which run at Anthropic have a type of their own and no schema.
        tools=[Tool(tool["name"], tool["input_schema"]) for tool in body.get("tools") or [] if "input_schema" in tool],
        tool_choice={"any": "required", "tool": choice.get("name", "")}.get(choice["type"], choice["type"]),
        one_tool_at_a_time=choice.get("disable_parallel_tool_use", False),
        answer_schema=((body.get("output_config") or {}).get("format") or {}).get("schema"),
    )


def parse_message(message: Json) -> Iterator[Turn]:
    """One message holds text, calls and results; the results of tools come in a message of the user's."""
    content, role = message["content"], message["role"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results = [block for block in blocks if block["type"] == "tool_result"]
    calls = [block["name"] for block in blocks if block["type"] == "tool_use"]
    text = text_of([block for block in blocks if block["type"] == "text"])
    if text or calls:
        yield Turn(role, text, calls)
    for block in results:
        yield Turn("tool", text_of(block.get("content") or ""))


def text_of(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)


def answer(body: Json, reply: Reply) -> Json:
    return {**head(body, reply), "content": blocks_of(reply), "stop_reason": stop_reason(reply)}


def stream(body: Json, reply: Reply) -> Iterator[Json | str]:
    start = head(body, reply)
    yield {"type": "message_start", "message": start | {"usage": start["usage"] | {"output_tokens": 1}}}
    for index, block in enumerate(blocks_of(reply)):
        if block["type"] == "text":
            empty: Json = block | {"text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        else:
            empty = block | {"input": {}}
            arguments = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(arguments)]
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": stop_reason(reply), "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": reply.usage.output}}
    yield {"type": "message_stop"}


def error(status: int, message: str) -> Json:
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_{secrets.token_hex(12)}"}


def head(body: Json, reply: Reply) -> Json:
    usage = reply.usage
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {  # Anthropic counts what came from the cache beside the input tokens, not among them.
            "input_tokens": usage.input - usage.cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": usage.cached,
            "output_tokens": usage.output,
            "service_tier": "standard",
        },
    }


def blocks_of(reply: Reply) -> list[Json]:
    if not reply.calls:
        return [{"type": "text", "text": reply.text}]
    return [
        {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": call.arguments}
        for call in reply.calls
    ]


def stop_reason(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"
