"""A signal is to kill, and between that decision and its sending somebody puts another disposition in place, once."""

import ctypes
import os
import signal
import threading

from _setup import open_spans

import agentops_otel as ao

session = ao.start_session("agent")
spans = open_spans()
kill = os.kill
is_put_back = threading.Event()


def put_back_and_kill(pid: int, number: int) -> None:
    if not is_put_back.is_set():
        is_put_back.set()
        ctypes.CDLL(None).signal(number, signal.SIG_IGN.value)
    kill(pid, number)


os.kill = put_back_and_kill
threading.Timer(0.2, print, ("ready",)).start()
threading.Event().wait()
