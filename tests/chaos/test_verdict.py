"""The judge of the chaos test finds what it is there to find."""

from __future__ import annotations

import pytest
from chaos import told
from chaos.unreliable import Arrived, Batch
from chaos.verdict import MOMENT, Facts, Verdict, judge

SESSION = Arrived("trace", "root", is_root=True, reason="completed")
SPAN = Arrived("trace", "span", is_root=False, reason="")
LOST = Arrived("trace", "root", is_root=True, reason="process_lost")


def facts(*lines: str, killed_at: float | None = None) -> Facts:
    """What one process told, and when it was killed."""
    found = Facts()
    for line in (f"{told.BEGUN} process 1 1 program", *lines):
        found.learn(line, 0.0)
    if killed_at is not None:
        found.died["process"] = killed_at
    return found


def judged(known: Facts, *batches: Batch) -> Verdict:
    return judge(known, batches)


def batch(*spans: Arrived, at: float = 1.0, of: str = "process", confirmed: bool = True) -> Batch:
    return Batch(of, list(spans), at, confirmed)


STARTED = f"{told.STARTED} process trace"


def test_a_session_that_arrived_once_is_well() -> None:
    verdict = judged(facts(STARTED, f"{told.SPAN_ENDED} process span"), batch(SPAN), batch(SESSION))
    assert verdict == Verdict(roots=1, spans=2)


def test_a_session_or_span_that_did_not_arrive_is_a_problem() -> None:
    verdict = judged(facts(STARTED, f"{told.SPAN_ENDED} process span"))
    assert [problem.split()[0] for problem in verdict.problems] == ["session", "span"]
    assert all("did not arrive; this program ended by itself" in problem for problem in verdict.problems)


def test_what_was_taken_without_a_word_may_come_again() -> None:
    verdict = judged(facts(STARTED), batch(SESSION, confirmed=False), batch(SESSION, confirmed=False), batch(SESSION))
    assert (verdict.twice, verdict.problems) == (2, [])


@pytest.mark.parametrize("again", [True, False])
def test_what_was_confirmed_may_not(again: bool) -> None:
    [problem] = judged(facts(STARTED), batch(SESSION), batch(SESSION, at=2, confirmed=again)).problems
    assert "root came again" in problem


@pytest.mark.parametrize(("died", "problems"), [(1.1, 0), (1.1 + MOMENT, 1)])
def test_who_was_killed_with_the_answer_in_hand_is_excused(died: float, problems: int) -> None:
    verdict = judged(facts(STARTED, killed_at=died), batch(SESSION), batch(SESSION, at=9, of="recovery"))
    assert (len(verdict.problems), verdict.killed_with_the_answer) == (problems, 1 - problems)


@pytest.mark.parametrize(
    ("arrived", "killed_at", "lines", "problem"),
    [
        (SESSION._replace(reason=""), None, (), "has no reason"),
        (LOST, None, (), "is lost; this program ended by itself"),
        (LOST, 1.0, (f"{told.ENDED} process trace",), "had ended, and arrived as lost"),
    ],
)
def test_a_wrong_end_is_a_problem(
    arrived: Arrived, killed_at: float | None, lines: tuple[str, ...], problem: str
) -> None:
    [found] = judged(facts(STARTED, *lines, killed_at=killed_at), batch(arrived)).problems
    assert problem in found


def test_a_process_that_was_killed_before_it_could_be_heard_was_killed() -> None:
    known = Facts(killed_groups={7: 5.0})
    known.learn(f"{told.BEGUN} late 8 7 fork", 6.0)
    known.learn(f"{told.BEGUN} other 9 9 program", 6.0)
    assert known.died == {"late": 5.0}


def test_a_session_with_two_roots_is_a_problem() -> None:
    [found] = judged(facts(STARTED), batch(SESSION), batch(SESSION._replace(span_id="other"))).problems
    assert "has two roots" in found
