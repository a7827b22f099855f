"""The scripted model: it decides from the conversation alone, so the same conversation gets the same answer.

* A user's question gets a call of every offered tool it mentions: a word of the tool's name is enough
  ("What is the population of Paris?" calls `population`, `get_population`, ...); a tool that calculates is
  called when there is something to calculate ("2 + 3"). The arguments are taken from the question.
* Results of tools, or a question no tool fits, get a final text, which repeats the results.
* "slow 300" in the question makes the answer take 300 ms; "fail 500" makes it an HTTP error.
"""

import json
import math
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: Json
    id: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(frozen=True)
class Turn:
    role: Literal["system", "user", "assistant", "tool"]
    text: str
    called: Sequence[str] = ()  # names of the tools which an assistant turn asked for


@dataclass(frozen=True)
class Tool:
    name: str
    parameters: Json  # JSON schema


@dataclass(frozen=True)
class Prompt:
    """A request, whatever the wire format it came in."""

    model: str
    turns: Sequence[Turn]
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"  # or "none", "required", or the name of a tool
    one_tool_at_a_time: bool = False
    answer_schema: Json | None = None  # the answer has to be JSON of this schema

    @property
    def question(self) -> str:
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def since_question(self) -> Sequence[Turn]:
        last = max((i for i, turn in enumerate(self.turns) if turn.role == "user"), default=-1)
        return self.turns[last + 1 :]


@dataclass(frozen=True)
class Usage:
    input: int
    cached: int  # part of input
    output: int
    reasoning: int  # part of output

    @property
    def total(self) -> int:
        return self.input + self.output


@dataclass(frozen=True)
class Reply:
    text: str
    calls: Sequence[ToolCall]
    usage: Usage
    seconds: float  # how long the model "thinks"


class Failure(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def think(prompt: Prompt) -> Reply:
    if match := re.search(r"\bfail\b(?: with)?(?: (\d{3}))?", prompt.question):
        raise Failure(int(match[1] or 400), "The prompt asked for a failure.")
    slow = re.search(r"\bslow\b(?: (\d+))?", prompt.question)
    calls = choose_calls(prompt)
    text = "" if calls else final_text(prompt)
    return Reply(text, calls, count_usage(prompt, text, calls), int(slow[1] or 500) / 1000 if slow else 0)


# --- What to say ----------------------------------------------------------------------------------------


def choose_calls(prompt: Prompt) -> list[ToolCall]:
    if prompt.tool_choice == "none":
        return []
    called = {name for turn in prompt.since_question for name in turn.called}
    if prompt.tool_choice in {tool.name for tool in prompt.tools}:
        wanted = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    elif results_of(prompt) and not (prompt.one_tool_at_a_time and called):
        wanted = []
    else:
        wanted = [tool for tool in prompt.tools if tool.name not in called and fits(tool, prompt.question)]
    if not wanted and prompt.tool_choice == "required":  # frameworks offer a last tool that takes the answer
        wanted = [*(tool for tool in prompt.tools if "final" in tool.name), *prompt.tools][:1]
    if prompt.one_tool_at_a_time:
        wanted = wanted[:1]
    return [ToolCall(tool.name, fill(tool.parameters, known(prompt))) for tool in wanted]


def final_text(prompt: Prompt) -> str:
    results = results_of(prompt)
    if prompt.answer_schema:
        return json.dumps(fill(prompt.answer_schema, known(prompt)))
    text = f"Here is what I found: {'; '.join(results)}" if results else f"You said: {prompt.question[:200]}"
    # Agents of the ReAct school tell the model, in words, how its last answer has to begin.
    asked_for_react = any("Final Answer:" in turn.text for turn in prompt.turns)
    return f"Thought: I now know the final answer\nFinal Answer: {text}" if asked_for_react else text


def results_of(prompt: Prompt) -> list[str]:
    return [turn.text for turn in prompt.since_question if turn.role == "tool"]


def known(prompt: Prompt) -> str:
    return "\n".join([prompt.question, *results_of(prompt)])


ARITHMETIC = re.compile(r"(?<![\w.])[-(]*\d[\d.]*\s*(?:(?:\*\*|[-+*/])\s*[-(]*\d[\d.]*\)*\s*)+")
EMPTY_WORDS = {"get", "fetch", "do", "run", "tool", "the", "a", "of", "for", "to", "and", "in", "final", "answer"}


def fits(tool: Tool, question: str) -> bool:
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", tool.name).lower())) - EMPTY_WORDS
    if any(word.startswith(("calc", "math", "arithmetic")) for word in words):
        return bool(ARITHMETIC.search(question))
    return not words.isdisjoint(re.findall(r"[a-z]+", question.lower()))


def fill(schema: Json, text: str, name: str = "", definitions: Json | None = None) -> Any:
    """A value that a JSON schema accepts, made of what the text says."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if reference := schema.get("$ref"):
        schema = definitions[reference.rsplit("/", 1)[-1]]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return fill(schema[union][0], text, name, definitions)
    choices: list[Any] = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if choices:
        return next((choice for choice in choices if str(choice).lower() in text.lower()), choices[0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties: Json = schema.get("properties") or {}
            required: list[str] = schema.get("required") or list(properties)
            return {key: fill(properties[key], text, key, definitions) for key in required}
        case "array":
            return [fill(schema.get("items", {}), text, name, definitions)]
        case "integer" | "number" as number:
            found = re.search(r"-?\d+(?:\.\d+)?", text)
            value = float(found[0]) if found else 1.0
            return int(value) if number == "integer" else value
        case "boolean":
            return True
        case "null":
            return None
    return find_string(name, text)


def find_string(name: str, text: str) -> str:
    """What the text says about a string with this name, such as the `city` of a question about the weather."""
    patterns = [r'"([^"]+)"', r"\b(?:about|on) (?:the )?(.+?)(?=[,.;:?!\n]| and |$)"]
    if name in {"city", "location", "place", "country", "town", "destination"}:
        patterns = [r"\b(?:in|of|for|at|to|from) ([A-Z]\w+(?: [A-Z]\w+)*)", r"(?<!^)\b([A-Z][a-z]+)"]
    elif name in {"expression", "expr", "formula", "calculation"}:
        patterns = [f"({ARITHMETIC.pattern})"]
    found = next((match[1] for pattern in patterns if (match := re.search(pattern, text))), text)
    return found.strip()


# --- What it costs --------------------------------------------------------------------------------------

CACHE_BLOCK = 64  # a cached prefix counts in whole blocks
REASONING_MODEL = re.compile(r"o\d|gpt-[5-9]")


def count_tokens(text: str) -> int:
    return math.ceil(len(text) / 4)  # the usual rule of thumb


def count_usage(prompt: Prompt, text: str, calls: Sequence[ToolCall]) -> Usage:
    """Counts which look like a real model's: what was sent before is cached, reasoning models reason."""
    tools = sum(count_tokens(tool.name + json.dumps(tool.parameters)) for tool in prompt.tools)
    sizes = [count_tokens(turn.text + "".join(turn.called)) + 4 for turn in prompt.turns]
    answered = max((i for i, turn in enumerate(prompt.turns) if turn.role == "assistant"), default=0)
    cached = (tools + sum(sizes[:answered])) // CACHE_BLOCK * CACHE_BLOCK if answered else 0
    reasoning = CACHE_BLOCK * (1 + len(calls)) if REASONING_MODEL.match(prompt.model) else 0
    spoken = count_tokens(text) + sum(count_tokens(call.name + json.dumps(call.arguments)) + 8 for call in calls)
    return Usage(input=tools + sum(sizes) + 3, cached=cached, output=spoken + reasoning, reasoning=reasoning)


def pieces(text: str) -> list[str]:
    """The text as a stream delivers it: word by word."""
    return re.findall(r"\S+\s*|\s+", text)
