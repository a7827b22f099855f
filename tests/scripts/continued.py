"""A session that continues one of another process, whose carrier it got on the command line."""

import json
import sys

from _setup import tracer

import agentops_otel as ao

if len(sys.argv) == 1:
    with ao.session("agent", id="first", conversation_id="c") as session, tracer.start_as_current_span("step"):
        print(json.dumps(session.carrier()))
else:
    with ao.session("next", previous_id=json.loads(sys.argv[1])):
        pass
