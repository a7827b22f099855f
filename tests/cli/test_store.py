"""Spans reach the store, whatever the process does meanwhile, and the store stays small."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.programs import run

from agentops_otel.cli.files import all_files, new_run_id, prune, run_files, store_directory
from agentops_otel.cli.read import read_sessions
from agentops_otel.cli.store import LocalSpanExporter

STORE, RUN_ID = "OTEL_PYTHON_AGENTOPS_STORE", "OTEL_PYTHON_AGENTOPS_RUN_ID"

SET_UP = """
import os, sys, threading
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from agentops_otel.cli.store import LocalSpanExporter
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(LocalSpanExporter()))
tracer = provider.get_tracer("test")
session = {"gen_ai.operation.name": "session"}
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store"


@pytest.fixture
def spans() -> tuple[ReadableSpan, ...]:
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with provider.get_tracer("test").start_as_current_span(
        "session one", attributes={"gen_ai.operation.name": "session"}
    ):
        pass
    provider.shutdown()
    return memory.get_finished_spans()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(store: Path) -> list[str]:
    return sorted(session.name for session in read_sessions(all_files(store)).sessions)


def test_a_batch_is_a_line_in_a_private_file(store: Path, spans: tuple[ReadableSpan, ...]) -> None:
    exporter = LocalSpanExporter(store)
    assert not store.exists()
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    (file,) = all_files(store)
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}-{os.getpid()}\.jsonl", file.name)
    assert (mode(store), mode(file)) == (0o700, 0o600)
    assert file.read_text().count("\n") == 2


def test_after_shutdown_nothing_is_written(store: Path, spans: tuple[ReadableSpan, ...]) -> None:
    exporter = LocalSpanExporter(store)
    assert exporter.force_flush()
    exporter.shutdown()
    assert exporter.export(spans) is SpanExportResult.FAILURE
    assert not store.exists()


def test_the_files_of_a_run_are_named_after_it(store: Path) -> None:
    run_id = new_run_id()
    assert run(["-c", SET_UP + "tracer.start_span('a').end()"], {STORE: str(store), RUN_ID: run_id}).returncode == 0
    assert run(["-c", SET_UP + "tracer.start_span('b').end()"], {STORE: str(store)}).returncode == 0
    assert len(all_files(store)) == 2
    (file,) = run_files(store, run_id)
    assert file.name.startswith(f"{run_id}-")


def test_a_run_id_cannot_lead_out_of_the_store(store: Path) -> None:
    run(["-c", SET_UP + "tracer.start_span('a').end()"], {STORE: str(store), RUN_ID: "../../out"})
    assert len(all_files(store)) == 1
    assert [path.name for path in store.parent.parent.iterdir()] == ["state"]


def test_a_forked_child_has_its_own_file(store: Path) -> None:
    program = """
tracer.start_span("session parent", attributes=session).end()
children = []
for number in range(3):
    pid = os.fork()
    if not pid:
        for _ in range(50):
            tracer.start_span(f"session child {number}", attributes=session).end()
        sys.exit()  # Runs what a normal exit runs, in the child too.
    children.append(pid)
for _ in range(50):
    tracer.start_span("session parent", attributes=session).end()
for pid in children:
    os.waitpid(pid, 0)
"""
    outcome = run(["-c", SET_UP + program], {STORE: str(store), "PYTHONWARNINGS": "error"})
    assert (outcome.returncode, outcome.stderr) == (0, "")
    found = read_sessions(all_files(store))
    assert found.damaged == 0
    assert len(all_files(store)) == 4
    assert len(found.sessions) == 51 + 3 * 50


def test_a_fork_while_another_thread_writes(store: Path) -> None:
    """What the child inherits in the middle of a write is never written by it."""
    program = """
def work():
    while not stop.is_set():
        tracer.start_span("session " + "x" * 20_000, attributes=session).end()
stop = threading.Event()
thread = threading.Thread(target=work)
thread.start()
for _ in range(30):
    pid = os.fork()
    if not pid:
        sys.exit()
    os.waitpid(pid, 0)
stop.set()
thread.join()
"""
    # Newer Pythons warn that such a fork is a risk: that is the point here.
    outcome = run(["-c", SET_UP + program], {STORE: str(store), "PYTHONWARNINGS": "ignore"})
    assert (outcome.returncode, outcome.stderr) == (0, "")
    (file,) = all_files(store)
    found = read_sessions([file])
    assert found.damaged == 0
    assert len(found.sessions) == file.read_bytes().count(b"\n")


def test_a_program_that_closes_every_descriptor(store: Path, tmp_path: Path) -> None:
    program = """
tracer.start_span("session before", attributes=session).end()
os.closerange(3, 1000)
with open(sys.argv[1], "w") as own:
    tracer.start_span("session after", attributes=session).end()
"""
    outcome = run(["-c", SET_UP + program, str(tmp_path / "own")], {STORE: str(store)})
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert names(store) == ["after", "before"]
    assert (tmp_path / "own").read_bytes() == b""


def test_a_relative_store_stays_where_it_was(tmp_path: Path) -> None:
    program = "os.chdir('/')\ntracer.start_span('session one', attributes=session).end()"
    assert run(["-c", SET_UP + program], {STORE: "here"}, cwd=tmp_path).returncode == 0
    assert names(tmp_path / "here") == ["one"]


def test_a_store_that_cannot_be_written_costs_one_warning(
    tmp_path: Path, spans: tuple[ReadableSpan, ...], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    exporter = LocalSpanExporter(tmp_path / "file" / "store")
    assert [exporter.export(spans) for _ in range(3)] == [SpanExportResult.FAILURE] * 3
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert f"{tmp_path}/file/store" in record.getMessage()


def test_a_link_in_the_place_of_the_file_is_not_followed(
    store: Path, tmp_path: Path, spans: tuple[ReadableSpan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = new_run_id()
    monkeypatch.setenv(RUN_ID, run_id)
    store.mkdir(parents=True)
    (tmp_path / "precious").touch()
    (store / f"{run_id}-{os.getpid()}.jsonl").symlink_to(tmp_path / "precious")
    assert LocalSpanExporter(store).export(spans) is SpanExportResult.FAILURE
    assert (tmp_path / "precious").read_bytes() == b""


def test_a_batch_that_does_not_fit_leaves_nothing_behind(store: Path) -> None:
    # A limit on the size of files stops a write in the middle, as a full disk does.
    program = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
for _ in range(20):
    tracer.start_span("session one", attributes=session).end()
"""
    outcome = run(["-c", SET_UP + program], {STORE: str(store)})
    assert outcome.returncode == 0
    (warning,) = outcome.stderr.splitlines()
    assert "File too large" in warning
    (file,) = all_files(store)
    assert file.read_text().endswith("\n")
    found = read_sessions([file])
    assert found.damaged == 0
    assert 0 < len(found.sessions) < 20


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(STORE, str(tmp_path))
    assert store_directory() == tmp_path
    monkeypatch.delenv(STORE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert store_directory().is_relative_to(tmp_path)
    if sys.platform == "linux":
        assert store_directory() == tmp_path / "xdg" / "agentops-otel" / "sessions"


def old_file(store: Path, name: str, age: int, size: int = 10) -> Path:
    path = store / name
    path.write_bytes(b"x" * size)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_the_oldest_files_are_removed(tmp_path: Path) -> None:
    files = [old_file(tmp_path, f"20240101T000000Z-0000000{age}-1.jsonl", age) for age in range(6)]
    prune(tmp_path, max_files=4)
    assert all_files(tmp_path) == files[:4]
    prune(tmp_path, max_bytes=25)
    assert all_files(tmp_path) == files[:2]
    prune(tmp_path)
    assert all_files(tmp_path) == files[:2]


def test_only_files_of_ours_are_removed(tmp_path: Path) -> None:
    kept = [
        old_file(tmp_path, "notes.jsonl", 1000),
        old_file(tmp_path, "20240101T000000Z-00000000-1.jsonl.bak", 1000),
        old_file(tmp_path, "20240101T000000Z-00000000-x.jsonl", 1000),
        tmp_path / "20240101T000000Z-00000000-2.jsonl",
        tmp_path / "20240101T000000Z-00000000-3.jsonl",
    ]
    kept[3].mkdir()
    kept[4].symlink_to(kept[0])
    ours = old_file(tmp_path, "20240101T000000Z-00000000-1.jsonl", 1000)
    prune(tmp_path, max_files=0, max_bytes=0)
    assert not ours.exists()
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_pruning_a_store_that_is_not_there(tmp_path: Path) -> None:
    prune(tmp_path / "nothing")
