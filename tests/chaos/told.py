"""What programs tell the driver, one line each: a word, the name of the process, and what belongs to the word."""

from __future__ import annotations

import os
from typing import Final

PIPE: Final = int(os.environ.get("ACKNOWLEDGE", "-1"))
"""The end of the pipe that programs write to."""

BEGUN: Final = "begun"
"""A process, with its pid, that of its group, and how it came to be: program, fork or multiprocessing."""

STARTED: Final = "started"
"""A session, by its trace id: its start has returned."""

ENDED: Final = "ended"
"""A session, by its trace id: its end has returned."""

SPAN_ENDED: Final = "span-ended"
"""A span of a session, by its span id."""

DIES: Final = "dies"
"""The process is about to end itself without a regular exit."""
