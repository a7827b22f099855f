"""Sends tasks of celery_app.py with headers that nobody should trust."""

from celery_app import session_id

TRACEPARENT = f"00-{1:032x}-{2:016x}-01"

for headers in (
    {"traceparent": "garbage", "baggage": "session.id=%00"},
    {"traceparent": "00-zz-zz-01", "baggage": 5},
    {"traceparent": ["00"], "tracestate": {"a": 1}, "baggage": None},
    {"traceparent": TRACEPARENT},
    {"traceparent": TRACEPARENT, "baggage": "session.id="},
    {"traceparent": TRACEPARENT, "baggage": f"session.id={'x' * 1000}"},
    {"traceparent": TRACEPARENT, "baggage": "session.id=%0A%00"},
    {"traceparent": TRACEPARENT, "baggage": ",;=%%%,=,a"},
    {"headers": 5},
    {"headers": ["traceparent"]},
):
    print(session_id.apply_async(headers=headers).get(timeout=60), flush=True)
