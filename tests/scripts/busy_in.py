"""The agent is at work, and the main thread waits in one of the ways a main thread can."""

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
import time

import _fresh_signals  # noqa: F401
from _setup import open_spans

import agentops_otel as ao

session = ao.start_session("agent")
spans = open_spans()
where = sys.argv[1]
if where == "stdin":
    os.dup2(os.pipe()[0], 0)
elif where == "lock":
    lock = threading.Lock()
    lock.acquire()
elif where in ("join", "exit"):
    thread = threading.Thread(target=threading.Event().wait, daemon=where == "join")
    thread.start()
# Not before the main thread waits: a signal between its last line of Python and its system call is another story.
threading.Timer(0.2, print, ("ready",)).start()
if where == "sleep":
    time.sleep(60)
elif where == "loop":
    while True:
        pass
elif where == "lock":
    lock.acquire()
elif where == "join":
    thread.join()
elif where == "asyncio":
    asyncio.run(asyncio.sleep(60))
elif where == "stdin":
    sys.stdin.read()
elif where == "native_code":
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000_000)  # Minutes, without the interpreter's lock.
elif where == "subprocess":
    subprocess.run(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
