"""OpenAI: POST /v1/responses."""

import json
import secrets
import time
from collections.abc import Iterator

from .brain import Json, Prompt, Reply, Tool, Turn, pieces
from .chat_completions import error

__all__ = ["answer", "error", "parse", "stream"]

ECHOED = ("instructions", "max_output_tokens", "metadata", "previous_response_id", "reasoning", "temperature")


def parse(body: Json) -> Prompt:
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    instructions = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    choice = body.get("tool_choice") or "auto"
    return Prompt(
        model=body["model"],
        turns=[parse_item(item) for item in [*instructions, *items]],
        tools=[
            Tool(tool["name"], tool.get("parameters") or {})
            for tool in body.get("tools") or []
            if tool["type"] == "function"
        ],
        tool_choice=choice if isinstance(choice, str) else choice.get("name", "required"),
        one_tool_at_a_time=body.get("parallel_tool_calls") is False,
        answer_schema=((body.get("text") or {}).get("format") or {}).get("schema"),
    )


def parse_item(item: Json) -> Turn:
    match item.get("type", "message"):
        case "message":
            role = item["role"]
            return Turn("system" if role == "developer" else role, text_of(item["content"]))
        case "function_call":
            return Turn("assistant", item["arguments"], [item["name"]])
        case "function_call_output":
            return Turn("tool", text_of(item["output"]))
    return Turn("assistant", "")  # reasoning and the like: nothing the scripted model reads


def text_of(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def answer(body: Json, reply: Reply) -> Json:
    return response(body, "completed", output(reply), reply)


def stream(body: Json, reply: Reply) -> Iterator[Json | str]:
    for number, event in enumerate(events(body, reply)):
        yield event | {"sequence_number": number}


def events(body: Json, reply: Reply) -> Iterator[Json]:
    started = response(body, "in_progress", [])
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    items = output(reply)
    for index, item in enumerate(items):
        here = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part = item["content"][0]
            empty = item | {"status": "in_progress", "content": []}
            yield {"type": "response.output_item.added", "output_index": index, "item": empty}
            here |= {"content_index": 0}
            yield {"type": "response.content_part.added", **here, "part": part | {"text": ""}}
            for piece in pieces(part["text"]):
                yield {"type": "response.output_text.delta", **here, "delta": piece, "logprobs": []}
            yield {"type": "response.output_text.done", **here, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **here, "part": part}
        else:
            arguments = item["arguments"]
            empty = item | {"status": "in_progress", "arguments": ""}
            yield {"type": "response.output_item.added", "output_index": index, "item": empty}
            for piece in pieces(arguments):
                yield {"type": "response.function_call_arguments.delta", **here, "delta": piece}
            yield {
                "type": "response.function_call_arguments.done",
                **here,
                "name": item["name"],
                "arguments": arguments,
            }
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    finished = response(body, "completed", items, reply)
    yield {"type": "response.completed", "response": finished | {k: started[k] for k in ("id", "created_at")}}


def response(body: Json, status: str, items: list[Json], reply: Reply | None = None) -> Json:
    return {
        "id": f"resp_{secrets.token_hex(24)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": items,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "text": body.get("text") or {"format": {"type": "text"}},
        "truncation": "disabled",
        "service_tier": "default",
        "usage": reply and usage_to_json(reply),
        **{key: body.get(key) for key in ECHOED},
    }


def output(reply: Reply) -> list[Json]:
    if not reply.calls:
        text = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        message = {"id": f"msg_{secrets.token_hex(24)}", "type": "message", "role": "assistant"}
        return [message | {"status": "completed", "content": [text]}]
    return [
        {
            "id": f"fc_{call.id}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{call.id}",
            "name": call.name,
            "arguments": json.dumps(call.arguments),
        }
        for call in reply.calls
    ]


def usage_to_json(reply: Reply) -> Json:
    usage = reply.usage
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
