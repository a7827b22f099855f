"""Sends tasks of celery_app.py: one before a session, in it in all ways, and one after it."""

from celery import chain, group  # type: ignore[import-untyped]
from celery_app import add, app, fails, sends, session_id, tracer, tries_again

import agentops_otel as ao

print(session_id.delay().get(timeout=60), flush=True)
with ao.session("agent", id="s-1", conversation_id="c-1", user_id="u-1"):
    with tracer.start_as_current_span("step"):
        results = [
            add.delay(1, 2),
            add.apply_async((3, 4), headers={"baggage": "mine=1"}),
            app.send_task("celery_app.add", (5, 6)),
            chain(add.s(1, 2), add.s(3)).apply_async(),
            group(add.s(1, 1), add.s(2, 2)).apply_async(),
            tries_again.delay(),
            fails.delay(),
        ]
        sent = sends.delay()
    print(*[result.get(timeout=60, propagate=False) for result in results], flush=True)
    print(app.AsyncResult(sent.get(timeout=60)).get(timeout=60), flush=True)
    print(session_id.delay().get(timeout=60), flush=True)
print(session_id.delay().get(timeout=60), flush=True)
