"""Where the time comes from that sessions write and that limits them.

One place, so that tests can set it: `agentops_otel.testing` puts other functions here, which is why they are called as
``clock.time_ns()`` and not imported by name. How long this package itself waits, for a thread or an export, is not
measured here: a wait must end also where time stands still.
"""

import time

time_ns = time.time_ns
"""Nanoseconds since the epoch, as on spans."""

monotonic = time.monotonic
"""Seconds, from some moment on."""
