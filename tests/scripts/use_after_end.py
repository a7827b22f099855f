"""Everything that can be done with a session is done after its end."""

from _setup import tracer

import agentops_otel as ao

with ao.session("agent") as session:
    pass
session.set_attribute("late", 1)
session.set_attributes({"late": 2})
session.add_tags("late")
session.record_exception(ValueError("late"))
session.end()
session.end("error", flush=True)
with session:
    pass
with session.attach():
    with tracer.start_as_current_span("after"):
        pass
assert not session.is_open
assert session.id
assert session.name == "agent"
assert session.trace_id != "0" * 32
assert session.conversation_id is None
assert session.totals is not None
assert repr(session)
assert ao.current_session() is None
assert ao.open_sessions() == []
assert ao.end_all_sessions() == 0
