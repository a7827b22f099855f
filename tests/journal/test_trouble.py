"""Whatever is wrong with the journal's directory costs one warning, and no session.

Each program runs with real trouble: a small or read-only file system, a system call that is refused, a directory that
is removed. What arrives is judged as for every other way of dying.
"""

from __future__ import annotations

import logging
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span, TracerProvider
from support.deaths import COMPLETED, PROCESS_EXIT, Death, Deaths
from support.programs import script

from agentops_otel import clock
from agentops_otel.journal import reader, shelf
from agentops_otel.journal.places import Place
from agentops_otel.journal.writer import Journal

WARNING = "there is no journal of sessions in"

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is made by means of Linux")


def programs_go_on(deaths: Deaths, directory: Path, *trouble: str | Path, before: Sequence[str] = ()) -> Death:
    """Runs the program; checks that all of its sessions arrive and that it ends as ever."""
    words = [str(word) for word in trouble] or ["none", str(directory)]
    env = {"OTEL_PYTHON_AGENTOPS_JOURNAL": str(directory)}
    died = deaths.run("journal_trouble", *words, env=env, before=before)
    if died.returncode == 77:
        pytest.skip("this system has no filters of system calls")
    assert died.returncode == 0, died
    died.check_all()
    died.session(COMPLETED, name="first")
    died.session(COMPLETED, name="large")
    died.session(PROCESS_EXIT, name="left open")
    assert sum(span.name.startswith("large ") for span in died.receiver.spans) == 4
    return died


def said(died: Death) -> str:
    """The one line that it wrote."""
    [line] = died.stderr.splitlines()
    assert line.startswith(WARNING), line
    return line


def mounted(directory: Path, options: str) -> list[str]:
    """What stands before a program that has a file system of its own there; it goes with the program."""
    directory.mkdir(exist_ok=True)
    command = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", command, "sh", options, str(directory)]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    return words


def without_privileges() -> list[str]:
    """What stands before a program for which permissions count."""
    if os.geteuid():
        return []
    words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("privileges cannot be given up")
    return words


# -- no journal from the start ------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("options", ["size=64k", "size=16m,nr_inodes=1", "size=16m,nr_inodes=2"])
def test_a_disk_that_is_full(deaths: Deaths, tmp_path: Path, options: str) -> None:
    died = programs_go_on(deaths, tmp_path / "disk", before=mounted(tmp_path / "disk", options))
    assert f"{tmp_path / 'disk'} (No space left on device)" in said(died)


@linux
def test_a_read_only_file_system(deaths: Deaths, tmp_path: Path) -> None:
    died = programs_go_on(deaths, tmp_path / "disk", before=mounted(tmp_path / "disk", "ro"))
    assert "(Read-only file system)" in said(died)


def test_a_directory_in_which_nothing_may_be_written(deaths: Deaths, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    directory.mkdir(mode=0o500)
    assert "(Permission denied)" in said(programs_go_on(deaths, directory, before=without_privileges()))


def test_a_directory_that_cannot_be_made(deaths: Deaths, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    died = programs_go_on(deaths, tmp_path / "a" / "b", before=without_privileges())
    tmp_path.chmod(0o700)
    assert "(Permission denied)" in said(died)


@linux
def test_a_directory_that_cannot_be_changed(deaths: Deaths, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    directory.mkdir()
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", directory], capture_output=True).returncode:
        pytest.skip("files cannot be made immutable")
    try:
        assert "(Operation not permitted)" in said(programs_go_on(deaths, directory))
    finally:
        subprocess.run(["chattr", "-i", directory], check=True)


@pytest.mark.parametrize("name", ["journal", "journal/inside"])
def test_a_directory_that_is_a_file(deaths: Deaths, tmp_path: Path, name: str) -> None:
    (tmp_path / "journal").write_text("mine")
    said(programs_go_on(deaths, tmp_path / name))
    assert (tmp_path / "journal").read_text() == "mine"


@linux
@pytest.mark.parametrize(
    "directory", ["/proc", "/proc/self", "/sys", "/dev/null", "/proc/journal", "/dev/null/journal"]
)
def test_a_directory_of_the_kernel(deaths: Deaths, directory: str) -> None:
    said(programs_go_on(deaths, Path(directory)))


@pytest.mark.parametrize("name", ["a" * 300, "a" * 200 + "/" + "b" * 200])
def test_a_name_that_no_file_can_have(deaths: Deaths, tmp_path: Path, name: str) -> None:
    if len(name) == 300:
        assert "(File name too long)" in said(programs_go_on(deaths, tmp_path / name))
    else:
        assert programs_go_on(deaths, tmp_path / name).stderr == ""


@pytest.mark.parametrize("name", ["with space", "ünïcödé", "new\nline", "%s{}$HOME", "-rf", "*[a]?", "\udcff"])
def test_an_odd_name_is_one_like_any_other(deaths: Deaths, tmp_path: Path, name: str) -> None:
    assert programs_go_on(deaths, tmp_path / name).stderr == ""
    assert list((tmp_path / name).iterdir()) == []


# -- refused by the kernel ----------------------------------------------------------------------------------------


def refused(syscall: str, reason: str) -> list[str]:
    return [sys.executable, str(script("refused")), syscall, reason]


@linux
@pytest.mark.parametrize("reason", ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def test_a_file_system_without_locks(deaths: Deaths, tmp_path: Path, reason: str) -> None:
    said(programs_go_on(deaths, tmp_path / "journal", before=refused("flock", reason)))
    assert list((tmp_path / "journal").iterdir()) == []


@linux
@pytest.mark.parametrize("reason", ["EDQUOT", "EIO"])
def test_a_quota_that_is_used_up(deaths: Deaths, tmp_path: Path, reason: str) -> None:
    died = programs_go_on(deaths, tmp_path / "journal", before=refused("fallocate", reason))
    assert ("(Disk quota exceeded)" if reason == "EDQUOT" else "(Input/output error)") in said(died)


@linux
def test_a_file_system_that_cannot_reserve_room_is_written_to_instead(deaths: Deaths, tmp_path: Path) -> None:
    died = programs_go_on(deaths, tmp_path / "journal", before=refused("fallocate", "EOPNOTSUPP"))
    assert died.stderr == ""


@linux
def test_a_limit_of_the_size_of_files(deaths: Deaths, tmp_path: Path) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("needs prlimit")
    died = programs_go_on(deaths, tmp_path / "journal", before=["prlimit", "--fsize=65536"])
    assert "(File too large)" in said(died)


# -- later --------------------------------------------------------------------------------------------------------


@linux
def test_a_disk_that_has_room_for_the_first_file_only(deaths: Deaths, tmp_path: Path) -> None:
    died = programs_go_on(deaths, tmp_path / "disk", before=mounted(tmp_path / "disk", "size=1500k"))
    assert "(No space left on device)" in said(died)


@linux
def test_a_disk_that_others_fill(deaths: Deaths, tmp_path: Path) -> None:
    # What is written to the mapping then must not kill.
    disk = tmp_path / "disk"
    died = programs_go_on(deaths, disk, "filled", disk, before=mounted(disk, "size=32m"))
    assert "(No space left on device)" in said(died)


@pytest.mark.parametrize("what", ["journal", "."])
def test_a_directory_that_is_removed(deaths: Deaths, tmp_path: Path, what: str) -> None:
    directory = tmp_path / "above" / "journal"
    died = programs_go_on(deaths, directory, "removed", directory.parent / what)
    assert len(died.stderr.splitlines()) <= 1  # it may end before that is noticed


def test_a_directory_that_becomes_read_only(deaths: Deaths, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    died = programs_go_on(deaths, directory, "read_only", directory, before=without_privileges())
    assert "(Permission denied)" in said(died)


def test_a_disk_that_has_room_again_has_a_journal_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shelf, "_AGAIN", 0.0)
    written = _Written(tmp_path / "journal")
    delivered, waiting = written.end(), written.end()
    with caplog.at_level(logging.WARNING, "agentops_otel"), files_of_at_most(2**16):
        while written.has_room():
            written.end()
        for _ in range(10):
            written.end()
        written.journal.delivered(0, [delivered])
    after = written.end()
    assert [record.getMessage().split(" (")[1] for record in caplog.records] == [
        "File too large): what is open when the process is killed is lost"
    ]
    owed = [span.span_id for span in reader.read(written.files()).due("exporter")]
    assert delivered not in owed
    assert {waiting, after} <= set(owed)
    written.journal.leave()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# -- clocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-3600, 3600, -(10**9), 10**9])
def test_a_clock_that_jumps_while_a_session_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    written = _Written(tmp_path / "journal")
    root = written.start(is_root=True)
    start = root.start_time or 0
    now = clock.time_ns
    monkeypatch.setattr(clock, "time_ns", lambda: now() + seconds * 10**9)
    root.set_attribute("late", 1)
    written.journal.changed(root)
    lost = reader.read(written.files())
    [(span, state)] = lost.states(lost.left())
    assert state is not None
    assert state.start == start
    assert state.attributes["late"] == 1
    assert span.is_open
    written.journal.leave()


@pytest.mark.parametrize("year", ["1970", "2026", "2999"])
def test_what_a_process_left_whose_clock_was_wrong_arrives(deaths: Deaths, tmp_path: Path, year: str) -> None:
    written = _Written(tmp_path / "journal")
    left = written.end()
    for path in list((tmp_path / "journal").iterdir()):
        path.rename(path.with_name(f"{year}0101T000000{path.name[15:]}"))
    written.journal.leave()
    died = deaths.run("with_block", env={"OTEL_PYTHON_AGENTOPS_JOURNAL": str(tmp_path / "journal")})
    assert died.quiet == (0, "")
    assert [span.span_id for span in died.receiver.spans].count(f"{left:016x}") == 1
    assert list((tmp_path / "journal").iterdir()) == []


class _Written:
    """A journal, and spans of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._jobs: list[Callable[[], object]] = []
        self.journal = Journal(Place(directory), "", 1, lambda seconds, job: self._jobs.append(job))
        self.sink = self.journal.sink("exporter")
        self._tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")

    def files(self) -> list[Path]:
        return sorted(self.directory.glob("*.journal"))

    def has_room(self) -> bool:
        """Whether there is room in the first file for a few spans."""
        return len(self.files()[0].read_bytes().rstrip(b"\0")) < 2**20 - 2**15

    def start(self, *, is_root: bool = False) -> Span:
        span = self._tracer.start_span("span", attributes={"session.id": "s", "content": "x" * 5000})
        assert isinstance(span, Span)
        self.journal.started(span, is_root=is_root)
        return span

    def end(self) -> int:
        """A span that has ended and waits; its id."""
        span = self.start()
        span.end()
        assert self.journal.accepted(span._readable_span(), span.context.span_id, self.sink)
        return span.get_span_context().span_id
