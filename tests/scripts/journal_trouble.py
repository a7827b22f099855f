"""Sessions before and after something befalls the journal; TROUBLE, FILE: what happens to which file or directory."""

import os
import shutil
import sys
from pathlib import Path

from _setup import tracer

import agentops_otel as ao


def several(name: str) -> None:
    """A session that needs more room than the first file of a journal has."""
    with ao.session(name):
        for number in range(4):
            with tracer.start_as_current_span(f"{name} {number}") as span:
                span.set_attribute("content", "x" * 500_000)


trouble, where = sys.argv[1], Path(sys.argv[2])
with ao.session("first"):
    pass
if trouble == "removed":
    shutil.rmtree(where)
elif trouble == "filled":
    with (where / "other").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (lambda room: room.f_bavail * room.f_bsize)(os.statvfs(where)))
elif trouble == "read_only":
    where.chmod(0o500)
several("large")
left_open = ao.start_session("left open")
