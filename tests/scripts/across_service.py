"""A service. It answers with the ids that came along, and says its port before it is ready."""

import json
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from _setup import tracer
from opentelemetry import baggage, context, propagate

import agentops_otel as ao


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        how, *ports = self.path.strip("/").split("/")
        if how == "joins":
            with ao.join_session(self.headers), tracer.start_as_current_span(how):  # type: ignore[arg-type]
                self.answer()
        else:  # as instrumentations of servers do
            token = context.attach(propagate.extract(self.headers))
            with tracer.start_as_current_span(how):
                for port in ports:
                    ask(port, "joins")
                self.answer()
            context.detach(token)

    def answer(self) -> None:
        self.send_response(200)
        self.end_headers()
        headers: dict[str, str] = {}
        propagate.inject(headers)  # what it would send on
        came_along = propagate.extract(headers, context.Context())
        self.wfile.write(json.dumps(dict(baggage.get_all(came_along))).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def ask(port: str, path: str) -> Mapping[str, str]:
    """Sends a request as instrumentations of clients do; returns the baggage that arrived."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}")
    propagate.inject(request.headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        answer: Mapping[str, str] = json.load(response)
        return answer


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    print(server.server_port)
    print("ready")
    server.serve_forever()
