"""The HTTP side: reads requests, lets the model think, writes JSON or a stream of server-sent events."""

import json
import secrets
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Protocol, cast

from . import chat_completions, messages, responses
from .brain import Failure, Json, Prompt, Reply, think
from .embeddings import embed

MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-5-mini", "text-embedding-3-small")


class WireFormat(Protocol):
    """What the module of an endpoint provides."""

    def parse(self, body: Json) -> Prompt: ...
    def answer(self, body: Json, reply: Reply) -> Json: ...
    def stream(self, body: Json, reply: Reply) -> Iterator[Json | str]: ...
    def error(self, status: int, message: str) -> Json: ...


FORMATS: dict[str, WireFormat] = {
    "/chat/completions": chat_completions,
    "/responses": responses,
    "/messages": messages,
}


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: Json


class LLMServer(ThreadingHTTPServer):
    """Serves from a thread of its own while the `with` block runs. `requests` holds what came in last."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.requests: deque[Request] = deque(maxlen=1000)
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="llm-server", daemon=True)

    @property
    def url(self) -> str:
        """Where Anthropic clients go."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def base_url(self) -> str:
        """Where OpenAI clients go."""
        return f"{self.url}/v1"

    def __enter__(self) -> "LLMServer":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in self.connections.copy():  # clients keep theirs open for the next request
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def wait(self) -> None:
        self.thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client may go away whenever it likes
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections alive
    disable_nagle_algorithm = True  # sends every event at once

    @property
    def llm(self) -> LLMServer:
        return cast(LLMServer, self.server)

    def setup(self) -> None:
        super().setup()
        self.llm.connections.add(self.connection)

    def finish(self) -> None:
        self.llm.connections.discard(self.connection)
        super().finish()

    def endpoint(self) -> str:
        return self.path.partition("?")[0].removeprefix("/v1")

    def do_GET(self) -> None:
        if self.endpoint() == "/models":
            card = {"object": "model", "created": int(time.time()), "owned_by": "llm-server"}
            self.send_json(200, {"object": "list", "data": [{"id": model, **card} for model in MODELS]})
        else:
            self.send_json(404, chat_completions.error(404, f"No such endpoint: {self.path}"))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        endpoint = self.endpoint()
        wire = FORMATS.get(endpoint, chat_completions)
        try:
            body: Json = json.loads(raw)
            self.llm.requests.append(Request(self.path, dict(self.headers), body))
            if endpoint == "/embeddings":
                self.send_json(200, embed(body))
            elif endpoint == "/messages/count_tokens":
                self.send_json(200, {"input_tokens": think(messages.parse(body)).usage.input})
            elif endpoint in FORMATS:
                self.reply(wire, body)
            else:
                self.send_json(404, wire.error(404, f"No such endpoint: {self.path}"))
        except Failure as failure:
            self.send_json(failure.status, wire.error(failure.status, str(failure)))
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            self.send_json(400, wire.error(400, f"Not a request I understand: {problem!r}"))

    def reply(self, wire: WireFormat, body: Json) -> None:
        reply = think(wire.parse(body))
        if body.get("stream"):
            self.send_events(list(wire.stream(body, reply)), reply.seconds)
        else:
            self.llm.stopping.wait(reply.seconds)
            self.send_json(200, wire.answer(body, reply))

    def send_json(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_head(status, {"Content-Type": "application/json", "Content-Length": str(len(data))})
        self.wfile.write(data)

    def send_events(self, events: list[Json | str], seconds: float) -> None:
        self.send_head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for event in events:
            self.llm.stopping.wait(seconds / len(events))  # a slow answer comes slowly from its first word on
            name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
            self.send_chunk(f"{name}data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
        self.send_chunk(b"")

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"x-request-id": f"req_{secrets.token_hex(16)}", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing: the terminal belongs to the agent."""
