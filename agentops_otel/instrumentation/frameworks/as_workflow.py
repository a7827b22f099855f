"""A span around each run that nobody marks, which makes it a session as every other marked run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...decorators.decorator import OperationDecorator
from ...decorators.kinds import WORKFLOW
from ...runtime import runtime


def as_workflow(run: Callable[..., Any], runner: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wraps a function of any kind: its call is a workflow, named after its object, unless it is made in a session."""
    if runtime.registry.current() is not None:
        return run(*args, **kwargs)
    said = getattr(runner, "name", None)
    name = said if isinstance(said, str) and said else type(runner).__name__
    return OperationDecorator(runtime, WORKFLOW, name, {})(run)(*args, **kwargs)
