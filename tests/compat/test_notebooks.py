"""In notebooks: a real Jupyter kernel, whose cells run again, and which is restarted and killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deaths import SOON
from support.otlp import Receiver, Span

pytest.importorskip("ipykernel")
pytest.importorskip("jupyter_client")

from support.kernels import Kernel, kernel

IMPORT = """
import agentops_otel.compat as agentops
from opentelemetry import trace
"""
STEP = """
with trace.get_tracer("notebook").start_as_current_span("step"):
    pass
"""


@pytest.fixture
def notebook(receiver: Receiver, tmp_path: Path) -> Iterator[Kernel]:
    journal = {"OTEL_PYTHON_AGENTOPS_JOURNAL": str(tmp_path / "journal")}
    folders = {name: str(tmp_path) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")}
    quiet = {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONSAFEPATH": "1"}
    with kernel({**receiver.environment(), **SOON, **journal, **folders, **quiet}, tmp_path) as started:
        yield started


def only(spans: list[Span]) -> Span:
    [span] = spans
    return span


def end_of(root: Span) -> tuple[str, str]:
    return root.attributes["agentops.session.end_state"], root.attributes["agentops.session.end_reason"]


def test_a_trace_goes_on_from_cell_to_cell(notebook: Kernel, receiver: Receiver) -> None:
    notebook.run(IMPORT)
    notebook.run("agentops.init()")
    notebook.run("t = agentops.start_trace('in cells')")
    notebook.run(STEP)
    notebook.run("agentops.end_trace(t)")
    receiver.wait_for(lambda receiver: len(receiver.spans) == 2)
    root, step = only(receiver.sessions()), only([span for span in receiver.spans if span.name == "step"])
    assert root.name == "session in cells"
    assert step.parent_id == root.span_id


def test_cells_can_be_run_again(notebook: Kernel, receiver: Receiver) -> None:
    notebook.run(IMPORT)
    for _ in range(3):
        notebook.run("agentops.init(auto_start_session=False)")
        notebook.run("with agentops.start_trace('again'):" + STEP.replace("\n", "\n    "))
    receiver.wait_for(lambda receiver: len(receiver.spans) == 6)
    assert [end_of(root) for root in receiver.sessions()] == [("success", "completed")] * 3
    assert len({span.trace_id for span in receiver.spans}) == 3


def test_a_cell_that_starts_a_trace_and_is_run_again_loses_none(notebook: Kernel, receiver: Receiver) -> None:
    notebook.run(IMPORT)
    for _ in range(3):
        notebook.run("agentops.start_trace('again')")
    notebook.run("agentops.end_trace()")
    receiver.wait_for(lambda receiver: len(receiver.sessions()) == 3)
    assert {end_of(root) for root in receiver.sessions()} == {("success", "completed")}


def test_there_is_no_session_of_the_whole_kernel_unless_it_is_wanted(notebook: Kernel) -> None:
    notebook.run(IMPORT)
    assert notebook.run("print(agentops.init())") == "None\n"
    for _ in range(2):
        notebook.run("agentops.init(auto_start_session=True, trace_name='kernel')")
    assert notebook.run("print(agentops.tracer.get_active_trace_count())") == "1\n"


def test_a_kernel_that_is_restarted_ends_what_is_open(notebook: Kernel, receiver: Receiver) -> None:
    notebook.run(IMPORT)
    notebook.run("agentops.init(auto_start_session=True, trace_name='kernel')")
    notebook.run("agentops.start_trace('open')")
    notebook.restart()
    notebook.run(IMPORT)
    notebook.run("with agentops.start_trace('new'):" + STEP.replace("\n", "\n    "))
    receiver.wait_for(lambda receiver: len(receiver.sessions()) == 3)
    ends = {root.name: end_of(root) for root in receiver.sessions()}
    assert ends.pop("session new") == ("success", "completed")
    assert ends == dict.fromkeys(("session kernel", "session open"), ("unknown", "process_exit"))


def test_a_kernel_that_is_killed_leaves_what_is_open_to_the_next(notebook: Kernel, receiver: Receiver) -> None:
    notebook.run(IMPORT)
    notebook.run("agentops.start_trace('open')")
    notebook.run("span = trace.get_tracer('notebook').start_span('step')")
    pid = int(notebook.run("import os; print(os.getpid())"))
    notebook.kill_and_start_again()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    notebook.run(IMPORT)
    notebook.run("agentops.end_trace(agentops.start_trace('new'))")
    receiver.wait_for(lambda receiver: len(receiver.spans) == 3)
    [new, root] = sorted(receiver.sessions(), key=lambda root: root.name)
    assert (new.name, root.name) == ("session new", "session open")
    assert end_of(root) == ("unknown", "process_lost")
    assert root.status == "ERROR"
    assert only([span for span in receiver.spans if span.name == "step"]).parent_id == root.span_id


def test_a_notebook_that_is_closed_ends_what_is_open(notebook: Kernel, receiver: Receiver) -> None:
    notebook.run(IMPORT)
    notebook.run("agentops.start_session()")
    notebook.close()
    receiver.wait_for(lambda receiver: receiver.sessions())
    assert end_of(only(receiver.sessions())) == ("unknown", "process_exit")
