"""Real collectors that forward what they get to a Receiver."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.otlp import Endpoints
from support.ports import free_port
from support.programs import Command, Program


@dataclass(frozen=True)
class Collector(Endpoints):
    """A running collector."""

    http_endpoint: str
    grpc_endpoint: str
    program: Program


@contextmanager
def rotel(target: Endpoints) -> Iterator[Collector]:
    """Runs the Rotel agent of the `rotel` wheel in front of `target`."""
    spec = importlib.util.find_spec("rotel")
    assert spec is not None
    assert spec.origin is not None
    agent = Path(spec.origin).with_name("rotel-agent")
    http, grpc = _free_addresses(2)
    options = {
        "--otlp-http-endpoint": http,
        "--otlp-grpc-endpoint": grpc,
        "--exporter": "otlp",
        "--otlp-exporter-endpoint": target.http_endpoint,
        "--otlp-exporter-protocol": "http",
        "--batch-timeout": "100ms",
    }
    words = [word for option in options.items() for word in option]
    # The agent is linked to the libpython of the interpreter its wheel is for, and does not know where that is.
    environment = {"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR"))}
    with _running([agent, "start", *words], environment, http, grpc) as collector:
        yield collector


@contextmanager
def otelcol(binary: Path, target: Endpoints, more: str = "{}") -> Iterator[Collector]:
    """Runs the official OpenTelemetry Collector that build_collector.py makes in front of `target`.

    `more` is configuration in YAML that is merged into that of the plain one.
    """
    http, grpc = _free_addresses(2)
    pipeline = {"receivers": ["otlp"], "exporters": ["otlp_http"]}
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}},
        "exporters": {"otlp_http": {"endpoint": target.http_endpoint}},
        "service": {
            # Its own metrics would be served on a fixed port.
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            "pipelines": {"traces": pipeline, "logs": pipeline, "metrics": pipeline},
        },
    }
    # JSON is YAML, and the Collector reads it from a variable as well as from a file.
    environment = {"OTELCOL_CONFIG": json.dumps(config), "OTELCOL_MORE": more}
    command: Command = [binary, *(f"--config=env:{variable}" for variable in environment)]
    with _running(command, environment, http, grpc) as collector:
        yield collector


def otelcol_binary() -> Path | None:
    """The Collector that AGENTOPS_TEST_COLLECTOR names, None where the variable is not set."""
    path = os.environ.get("AGENTOPS_TEST_COLLECTOR")
    return Path(path) if path else None


@contextmanager
def _running(command: Command, env: Mapping[str, str], http: str, grpc: str) -> Iterator[Collector]:
    with Program.start(command, env=env) as program:
        for address in (http, grpc):
            _wait_until_listening(program, address)
        yield Collector(f"http://{http}", f"http://{grpc}", program)
        program.send(signal.SIGTERM)
        program.wait(10)


def _free_addresses(number: int) -> list[str]:
    return [f"127.0.0.1:{free_port()}" for _ in range(number)]


def _wait_until_listening(program: Program, address: str, timeout: float = 20) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + timeout
    while program.process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"{program.process.args!r} does not listen on {address}\n{program.stdout}\n{program.stderr}")
