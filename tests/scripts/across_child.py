"""What across_subprocess.py starts; argv: what it does."""

import os
import subprocess
import sys

if "is_not_set_up" in sys.argv:
    sys.exit()

from _setup import tracer  # joins

import agentops_otel as ao

with tracer.start_as_current_span(os.environ.get("NAME", "in the child")):
    pass
if "has_a_session" in sys.argv:
    with ao.session("child"), tracer.start_as_current_span("in its session"):
        subprocess.run([sys.executable, __file__], check=True, env={**os.environ, "NAME": "of its session"})
if "has_a_child" in sys.argv:
    subprocess.run([sys.executable, __file__], check=True, env={**os.environ, "NAME": "in the grandchild"})
