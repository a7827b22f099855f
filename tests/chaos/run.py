"""Kills random programs of sessions at random instants, and shows that nothing they started is lost or doubled.

    python tests/chaos/run.py [--kills 1000] [--seed SEED]

Programs (`program.py`) with one journal directory, and a collector that fails at random, are killed with SIGKILL, one
process or all of a group, started again, and recovered by several processes at a time, which are killed, too. At the
end the collector is well, and recovery goes on until nothing is left. Then every session whose start had returned must
have arrived, once, or again only where nobody had read that it was taken (`verdict.py`).

The seed decides what the programs do and when they are killed; it is printed, and can be given to do the same again,
as far as the machine lets it. The exit status is 1 if something was lost, doubled, or went wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from chaos.unreliable import Collector
from chaos.verdict import Facts, Verdict, judge
from support.otlp import Receiver
from support.spans import poll

HERE: Final = Path(__file__).parent
LANES: Final = 3
"""Programs that run at the same time, not counting their children."""
FEW: Final = 200
"""Kills of a short run."""
LONG: Final = 60.0
"""Seconds after which whatever waits for something gives up."""
SHOWN: Final = 20
"""Problems that are printed."""


@dataclass
class Program:
    """A started program, and the file with its stderr."""

    process: subprocess.Popen[bytes]
    stderr: Path

    def is_running(self) -> bool:
        return self.process.poll() is None


class Chaos:
    """One run."""

    def __init__(self, seed: str, kills: int, folder: Path, collector: Collector, nobody: str) -> None:
        self.seed = seed
        self.wanted = kills
        self.journal = folder / "journal"
        self.facts = Facts()
        self.kills = 0
        self.programs: list[Program] = []
        self.recoveries = 0
        self._folder = folder
        self._collector = collector
        self._nobody = nobody
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._pipe, self._pipe_of_programs = os.pipe()
        self._told = threading.Condition()

    def run(self) -> Verdict:
        """Does it all."""
        listener = threading.Thread(target=self._listen, name="listener")
        moods = threading.Thread(target=self._change_moods, name="moods")
        lanes = [threading.Thread(target=self._lane, args=(n,), name=f"lane {n}") for n in range(LANES)]
        for thread in (listener, moods, *lanes):
            thread.start()
        for lane in lanes:
            lane.join()
        self._is_over.set()
        moods.join()
        self._collector.mood = "healthy"
        self._end_all()
        os.close(self._pipe_of_programs)
        listener.join()
        self._recover_the_rest()
        verdict = judge(self.facts, self._collector.batches)
        verdict.problems += self._mistakes()
        return verdict

    # -- what happens --

    def _lane(self, number: int) -> None:
        chance = random.Random(f"{self.seed} lane {number}")
        left: list[Program] = []
        while self.kills < self.wanted:
            if chance.random() < 0.2:
                self._recover(chance)
            left.append(self._start_program(chance))
            self._is_over.wait(chance.uniform(0, 2))
            self._kill(left[-1], everything=chance.random() < 0.5)
            if len(left) > 2 or chance.random() < 0.3:
                self._kill(left.pop(0), everything=True)

    def _start_program(self, chance: random.Random) -> Program:
        is_alone = chance.random() < 0.1
        seed = str(chance.random())
        program = self._start(
            [HERE / "program.py", seed, "0"],
            OTEL_EXPORTER_OTLP_ENDPOINT=self._nobody if is_alone else self._collector.endpoint,
            OTEL_PYTHON_AGENTOPS_EXIT_TIMEOUT="1" if is_alone else "20",
        )
        poll(lambda: program.process.pid in self.facts.pids or not program.is_running(), LONG)
        return program

    def _recover(self, chance: random.Random | None = None) -> None:
        """Lets some processes recover at the same time; with ``chance`` some of them are killed."""
        several = [self._start_recovery() for _ in range(3 if chance is None else chance.randrange(1, 4))]
        for name, recovery in several:
            if chance is not None and chance.random() < 0.6:
                with suppress(subprocess.TimeoutExpired):
                    recovery.process.wait(chance.uniform(0.2, 2))
                if recovery.is_running():
                    self.facts.died[name] = time.monotonic()
                    recovery.process.kill()
                    self._count(1)
        for _, recovery in several:
            recovery.process.wait(LONG)

    def _start_recovery(self) -> tuple[str, Program]:
        with self._lock:
            self.recoveries += 1
            name = f"recovery-{self.recoveries}"
        return name, self._start(
            ["-m", "agentops_otel.cli", "recover", self.journal],
            OTEL_EXPORTER_OTLP_ENDPOINT=self._collector.endpoint,
            OTEL_EXPORTER_OTLP_HEADERS=f"chaos-process={name}",
        )

    def _start(self, words: list[str | Path], **environment: str) -> Program:
        with self._lock:
            stderr = self._folder / f"stderr-{len(self.programs)}"
            clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
            where = os.environ.get("AGENTOPS_TEST_PYTHONPATH")
            with stderr.open("wb") as file:
                process = subprocess.Popen(
                    [sys.executable, *words],
                    env={
                        **clean,
                        **({"PYTHONPATH": where} if where else {}),
                        "ACKNOWLEDGE": str(self._pipe_of_programs),
                        "OTEL_PYTHON_AGENTOPS_JOURNAL": str(self.journal),
                        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
                        "PYTHONWARNINGS": "ignore",
                        **environment,
                    },
                    cwd=self._folder,  # not beside the sources: what is installed is meant
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=file,
                    pass_fds=[self._pipe_of_programs],
                    start_new_session=True,
                )
            program = Program(process, stderr)
            self.programs.append(program)
            return program

    def _kill(self, program: Program, *, everything: bool) -> None:
        """Kills a program, or all that it has started, too."""
        group = program.process.pid
        if everything:
            self.facts.killed_groups[group] = time.monotonic()
        pids = [pid for pid in list(self.facts.pids) if _is_alive(pid, group)]
        if not everything:
            pids = [pid for pid in pids if pid == group]
        for pid in pids:
            self.facts.died[self.facts.pids[pid]] = time.monotonic()
        with suppress(ProcessLookupError):
            if everything:
                os.killpg(group, signal.SIGKILL)
            elif program.is_running():
                program.process.kill()
        self._count(len(pids))
        program.process.poll()

    def _count(self, kills: int) -> None:
        with self._lock:
            self.kills += kills

    def _change_moods(self) -> None:
        chance = random.Random(f"{self.seed} moods")
        while not self._is_over.wait(chance.uniform(0.2, 2)):
            [self._collector.mood] = chance.choices(["healthy", "slow", "shaky", "overloaded", "away"], [4, 1, 4, 1, 1])

    def _listen(self) -> None:
        with os.fdopen(self._pipe, encoding="ascii") as lines:
            for line in lines:
                self.facts.learn(line, time.monotonic())

    # -- the end --

    def _end_all(self) -> None:
        """What runs may end by itself for a while."""
        with suppress(AssertionError):
            poll(lambda: not any(program.is_running() for program in self.programs), 10)
        for program in self.programs:
            self._kill(program, everything=True)
            program.process.wait(LONG)

    def _recover_the_rest(self) -> None:
        for _ in range(10):
            self._recover()
            if not self.left():
                return

    def left(self) -> list[str]:
        """The files that are left in the journal's directory."""
        return sorted(path.name for path in self.journal.iterdir()) if self.journal.exists() else []

    def _mistakes(self) -> list[str]:
        """What the package had to absorb, and what it left behind."""
        found = [f"left behind: {name}" for name in self.left()]
        for program in self.programs:
            said = program.stderr.read_text("utf-8", "replace")
            if "failed while" in said or "Fatal Python error" in said:
                found.append(f"{program.process.args!r} said:\n{said[:4000]}")
        return found


def _is_alive(pid: int, group: int) -> bool:
    """Whether a process of this group runs, and is no zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[2]) == group and fields[0] not in "ZX"


def main() -> int:
    arguments = argparse.ArgumentParser(description="Kills random programs of sessions.")
    arguments.add_argument("--kills", type=int, default=FEW)
    arguments.add_argument("--seed", default=secrets.token_hex(4))
    chosen = arguments.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    begin = time.monotonic()
    with Receiver() as closed:
        nobody = closed.http_endpoint
    with tempfile.TemporaryDirectory() as folder, Collector(chosen.seed) as collector:
        chaos = Chaos(chosen.seed, chosen.kills, Path(folder), collector, nobody)
        verdict = chaos.run()
    took = time.monotonic() - begin
    print(f"{chaos.kills} kills, {len(chaos.facts.pids)} processes, {chaos.recoveries} recoveries in {took:.0f} s")
    print(f"{len(chaos.facts.sessions)} sessions were started, {verdict.roots} arrived; {verdict.spans} spans arrived")
    print(
        f"again: {verdict.twice} that were taken without a word, {verdict.killed_with_the_answer} killed at the answer"
    )
    for garbled in collector.garbled:  # what was in it is sent again, so it is worth a look, and no problem
        print(f"note: {garbled:.300}")
    print(f"{len(verdict.problems)} problems with seed {chosen.seed}")
    for problem in verdict.problems[:SHOWN]:
        print(f"- {problem}")
    return int(bool(verdict.problems))


if __name__ == "__main__":
    sys.exit(main())
