"""An application of Celery that knows nothing of sessions; AGENTOPS_TEST_BROKER is the URL of its Redis.

Its tasks wait in the middle until AGENTOPS_TEST_GATE exists.
"""

import os
import threading
from pathlib import Path
from typing import Any

from celery import Celery, signals  # type: ignore[import-untyped]
from opentelemetry import trace

tracer = trace.get_tracer("instrumentation")
gate = Path(os.environ["AGENTOPS_TEST_GATE"])
broker = os.environ["AGENTOPS_TEST_BROKER"]
app: Any = Celery("celery_plain", broker=broker, backend=broker)
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_soft_shutdown_timeout=0,
)


def ready(**named: object) -> None:
    print("ready", flush=True)


signals.worker_ready.connect(ready, weak=False)


@app.task  # type: ignore[untyped-decorator]
def agent(name: str) -> str:
    """Runs an agent of a framework whose instrumentation marks it."""
    marks = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    with tracer.start_as_current_span(f"invoke_agent {name}", attributes=marks):
        return str(answer(name))


@app.task  # type: ignore[untyped-decorator]
def answer(text: str) -> str:
    with tracer.start_as_current_span(text):
        print("working", os.getpid(), flush=True)
        while not gate.exists():
            threading.Event().wait(0.01)
    return text
