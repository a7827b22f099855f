"""A generator with a session is left in the middle: closed, dropped, or collected in a reference cycle."""

import gc
import sys
from collections.abc import Generator

from _setup import tracer

import agentops_otel as ao

kind, how = sys.argv[1:]


def with_block(cycle: list[object]) -> Generator[int, None, None]:
    with ao.session("agent"):
        with tracer.start_as_current_span("step"):
            pass
        yield 1


@ao.session("agent")
def decorated(cycle: list[object]) -> Generator[int, None, None]:
    with tracer.start_as_current_span("step"):
        pass
    yield 1


cycle: list[object] = []
generator = (with_block if kind == "with_block" else decorated)(cycle)
assert next(generator) == 1
if how == "closed":
    generator.close()
elif how == "cycle":
    cycle.append(generator)
del generator, cycle
gc.collect()
with tracer.start_as_current_span("after"):
    pass
