"""Started with nohup: SIGHUP is ignored."""

import os
import signal

import _setup  # noqa: F401

import agentops_otel as ao

with ao.session("agent"):
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
