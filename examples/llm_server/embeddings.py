"""OpenAI: POST /v1/embeddings. Texts which share words lie close together."""

import base64
import hashlib
import math
import struct

from .brain import Json, count_tokens


def embed(body: Json) -> Json:
    given = body["input"]
    # A text, a list of texts, the tokens of a text, or a list of those.
    many = isinstance(given, list) and not all(isinstance(item, int) for item in given)
    texts = [item if isinstance(item, str) else " ".join(map(str, item)) for item in (given if many else [given])]
    as_base64 = body.get("encoding_format") == "base64"
    vectors = [vector(text, body.get("dimensions") or 1536) for text in texts]
    tokens = sum(map(count_tokens, texts))
    return {
        "object": "list",
        "model": body["model"],
        "data": [
            {"object": "embedding", "index": index, "embedding": pack(values) if as_base64 else values}
            for index, values in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def vector(text: str, dimensions: int) -> list[float]:
    values = [0.0] * dimensions
    for word in text.lower().split() or [""]:
        digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
        values[int.from_bytes(digest, "big") % dimensions] += 1
    length = math.hypot(*values)
    return [value / length for value in values]


def pack(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
