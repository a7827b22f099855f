"""Whether what arrived is what was promised."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chaos import told
from chaos.unreliable import Batch

MOMENT: Final = 1.5
"""Seconds that a process may need, on a busy machine, from reading an answer to noting it in its journal."""


@dataclass
class Facts:
    """What is known of the processes. Times are seconds of the monotonic clock."""

    pids: dict[int, str] = field(default_factory=dict)
    """The latest process of each pid."""
    kinds: dict[str, str] = field(default_factory=dict)
    """How processes came to be."""
    sessions: dict[str, str] = field(default_factory=dict)
    """The process of each session that was started, by its trace id."""
    ended: set[str] = field(default_factory=set)
    """Sessions whose end has returned, by their trace ids."""
    spans: dict[str, str] = field(default_factory=dict)
    """The process of each other span whose end has returned."""
    killed_groups: dict[int, float] = field(default_factory=dict)
    """When all processes of a group were killed."""
    died: dict[str, float] = field(default_factory=dict)
    """When processes were killed, or ended themselves without a regular exit."""

    def learn(self, line: str, now: float) -> None:
        """Takes in what a process told."""
        word, process, *rest = line.split()
        if word == told.BEGUN:
            self.pids[int(rest[0])] = process
            self.kinds[process] = rest[2]
            killed = self.killed_groups.get(int(rest[1]))
            if killed is not None:  # with its group, before it could be heard
                self.died[process] = killed
        elif word == told.STARTED:
            self.sessions[rest[0]] = process
        elif word == told.ENDED:
            self.ended.add(rest[0])
        elif word == told.SPAN_ENDED:
            self.spans[rest[0]] = process
        elif word == told.DIES:
            self.died[process] = now


@dataclass
class Verdict:
    """Attributes:
    twice: Spans that arrived again because nobody had read that they were taken, ...
    killed_with_the_answer: ... and because who had read it was killed before it could note that.
    problems: What must not be.
    """

    roots: int = 0
    spans: int = 0
    twice: int = 0
    killed_with_the_answer: int = 0
    problems: list[str] = field(default_factory=list)


def judge(facts: Facts, batches: Sequence[Batch]) -> Verdict:
    """Compares what arrived with what was told."""
    verdict = Verdict()
    arrivals: dict[str, list[Batch]] = defaultdict(list)
    roots: dict[str, str] = {}
    for batch in batches:
        for span in batch.spans:
            arrivals[span.span_id].append(batch)
            if span.is_root:
                owner = facts.sessions.get(span.trace_id, "")
                if roots.setdefault(span.trace_id, span.span_id) != span.span_id:
                    verdict.problems.append(f"session {span.trace_id} of {owner} has two roots")
                if not span.reason:
                    verdict.problems.append(f"session {span.trace_id} of {owner} has no reason of its end")
                if span.reason == "process_lost" and span.trace_id in facts.ended:
                    verdict.problems.append(f"session {span.trace_id} of {owner} had ended, and arrived as lost")
                if span.reason == "process_lost" and owner and owner not in facts.died:
                    verdict.problems.append(f"session {span.trace_id} of {owner} is lost; {_fate(facts, owner)}")
    for trace_id, process in facts.sessions.items():
        if trace_id not in roots:
            verdict.problems.append(f"session {trace_id} of {process} did not arrive; {_fate(facts, process)}")
    for span_id, process in facts.spans.items():
        if span_id not in arrivals:
            verdict.problems.append(f"span {span_id} of {process} did not arrive; {_fate(facts, process)}")
    for span_id, came_in in arrivals.items():
        for batch in came_in[:-1]:
            if not batch.is_confirmed:
                verdict.twice += 1
            elif facts.died.get(batch.process, math.inf) - batch.at < MOMENT:
                verdict.killed_with_the_answer += 1
            else:
                verdict.problems.append(
                    f"span {span_id} came again in another batch than the one that was confirmed: "
                    + "; ".join(f"{each.process} {each.at:.3f} confirmed={each.is_confirmed}" for each in came_in)
                    + f"; {_fate(facts, batch.process)}"
                )
    verdict.roots, verdict.spans = len(roots), len(arrivals)
    return verdict


def _fate(facts: Facts, process: str) -> str:
    died = facts.died.get(process)
    end = "ended by itself" if died is None else f"died at {died:.3f}"
    return f"this {facts.kinds.get(process, 'recovery')} {end}"
