"""`python -m agentops_otel.cli`: the same as `agentops-otel`."""

from . import main

main()
