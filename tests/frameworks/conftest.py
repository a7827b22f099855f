"""Each framework is tested in an environment of its own, which says of which; elsewhere there is nothing to collect."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("AGENTOPS_TEST_FRAMEWORK") else ["test_*.py"]
