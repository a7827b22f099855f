"""What the tests share: real programs, a real receiver, real collectors."""

import os

# Read by the package when it is imported. Tests of the journal have their own.
os.environ["OTEL_PYTHON_AGENTOPS_JOURNAL"] = "off"
