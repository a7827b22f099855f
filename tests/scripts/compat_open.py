"""A program of the AgentOps SDK that ends nothing; the argument says how it starts its session, and how it ends."""

import os
import signal
import sys

import agentops_otel.compat

agentops_otel.compat.install()

import agentops  # type: ignore[import-not-found]  # noqa: E402

started, ended = sys.argv[1:]
if started == "init":
    agentops.init(api_key="00000000-0000-0000-0000-000000000000", trace_name="agent")
elif started == "start_trace":
    agentops.start_trace("agent")
else:
    agentops.init(auto_start_session=False)
    agentops.start_session()

match ended:
    case "sys.exit":
        sys.exit(3)
    case "exception":
        raise ValueError("no")
    case "SIGTERM":
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    case "SIGKILL":
        print("ready", flush=True)
        signal.pause()
