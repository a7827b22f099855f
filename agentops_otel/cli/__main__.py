"""`python -m agentops_otel.cli`: the same as `agentops-otel`."""

from agentops_otel.cli import main

main()
