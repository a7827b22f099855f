"""An application of Celery; AGENTOPS_TEST_BROKER is the URL of its Redis.

AGENTOPS_TEST_SETUP: as in _setup.py; without it OpenTelemetry is set up before the program starts.
AGENTOPS_TEST_OFFICIAL: whether Celery's official instrumentation is in use, and when it connects its handlers:
"before" or "after" ours, or in every "child" of a worker, as its documentation says.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

from celery import Celery, signals  # type: ignore[import-untyped]
from opentelemetry import trace

import agentops_otel as ao

if "AGENTOPS_TEST_SETUP" in os.environ:
    import _setup  # noqa: F401

tracer = trace.get_tracer("instrumentation")
official = os.environ.get("AGENTOPS_TEST_OFFICIAL")
kept: list[object] = []


def instrument(**named: object) -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor

    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]


if official == "before":
    instrument()
elif official == "child":
    signals.worker_process_init.connect(instrument, weak=False)

broker = os.environ["AGENTOPS_TEST_BROKER"]
app = Celery("celery_app", broker=broker, backend=broker)
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_max_tasks_per_child=int(os.environ.get("AGENTOPS_TEST_MAX_TASKS", "0")) or None,
    result_backend_transport_options={"polling_interval": 0.01},
)

if official == "after":
    app.amqp  # noqa: B018 - made when it is first asked for
    instrument()


def ready(**named: object) -> None:
    print("ready", flush=True)


def task(**options: object) -> Callable[[Callable[..., object]], Any]:
    decorator: Callable[[Callable[..., object]], Any] = app.task(**options)
    return decorator


signals.worker_ready.connect(ready, weak=False)


@task()
def add(a: int, b: int) -> int:
    with tracer.start_as_current_span("add"):
        return a + b


@task(throws=(ValueError,))
def fails() -> None:
    with tracer.start_as_current_span("fails"):
        pass
    raise ValueError("boom")


@task(bind=True, max_retries=1)
def tries_again(self: Any) -> int:
    with tracer.start_as_current_span(f"try {self.request.retries}"):
        pass
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return int(self.request.retries)


@task()
def sends() -> str:
    with tracer.start_as_current_span("sends"):
        return str(add.delay(1, 2).id)


@task()
def session_id() -> "str | None":
    """Of the session it runs in."""
    with tracer.start_as_current_span("asked"):
        session = ao.current_session()
        return session.id if session is not None else None


@task()
def leaves_open(name: str) -> str:
    """Leaves a session and a span open."""
    session = ao.start_session(name)
    kept.extend([session, tracer.start_span("left open")])
    return session.id


@task()
def goes_on() -> None:
    """Runs until somebody stops it."""
    with ao.session("stopped"), tracer.start_as_current_span("goes on"):
        print("goes on", flush=True)
        threading.Event().wait()
