"""The cases that CI is shown: one a network, the worst first, with its word and its faults.

regressed, over                                fails
inconclusive, removed, cannot be told, failed  nothing is shown of it, so it does not pass
added                                          there is nothing to hold it against
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from archbench.comparison.budgets import STANDING_WORDS, WITHIN, Excess, judge_standing
from archbench.comparison.judgement import NOTHING_IN_BOTH, ONLY_BASE, Judgement, NetworkJudgement
from archbench.comparison.of_run import JudgedRun
from archbench.runs.records import UNFINISHED, Record
from archbench.tables.table import Row, Table

Ends = Literal["fails", "untold", "skipped", "passes"]

ENDS: dict[str, Ends] = {
    **dict.fromkeys(("regressed", STANDING_WORDS["over"]), "fails"),
    **dict.fromkeys(("inconclusive", "removed", STANDING_WORDS["untold"], *UNFINISHED), "untold"),
    "added": "skipped",
    **dict.fromkeys(("improved", "equivalent", WITHIN), "passes"),
}
WORST_FIRST: tuple[Ends, ...] = ("fails", "untold", "passes", "skipped")
ALL = "the comparison"  # what stands for it where no network is in both


@dataclass(frozen=True)
class Case:
    """One network: its word, and the faults that keep it from passing."""

    name: str
    word: str
    faults: tuple[str, ...] = ()

    @property
    def ends(self) -> Ends:
        return ENDS[self.word]


@dataclass(frozen=True)
class Suite:
    """The cases of one gate, the command that asked, and its table; `summary` is one line on all."""

    name: str
    command: str
    cases: tuple[Case, ...]
    view: Table

    @property
    def summary(self) -> str:
        return self.view.caption[0]


def make_suites(run: JudgedRun) -> tuple[Suite, ...]:
    """The suites of a run: against its base, against its budgets, both or neither."""
    judged = (judgement_suite(run.judgement),) if run.judgement else ()
    return (*judged, *((_budget_suite(run, run.budget_table),) if run.budget_table else ()))


def judgement_suite(judgement: Judgement) -> Suite:
    """The suite of new networks against their bases."""
    cases = [
        *map(_judged_case, judgement.judged),
        *(Case(each.name, "removed", (ONLY_BASE,)) for each in judgement.removed),
    ]
    cases += [_added_case(each, judgement) for each in judgement.added]
    cases.sort(key=lambda case: WORST_FIRST.index(case.ends))
    if not judgement.judged:
        cases.append(Case(ALL, "inconclusive", (NOTHING_IN_BOTH,)))
    return Suite(judgement.name, judgement.command, tuple(cases), judgement.table)


def _judged_case(judged: NetworkJudgement) -> Case:
    fails = judged.word in ("regressed", "inconclusive")
    return Case(judged.name, judged.word, judged.describe_word(judged.word) if fails else ())


def _added_case(record: Record, judgement: Judgement) -> Case:
    """The case of a network without a base: it passes, unless it failed in the very run that is judged."""
    if judgement.paired and record.status in UNFINISHED:
        return Case(record.name, record.status, (record.reason or record.status,))
    return Case(record.name, "added", (judgement.only_new,))


def _budget_suite(run: JudgedRun, view: Table) -> Suite:
    cases = sorted((_held_case(row, own) for row, own in run.held), key=lambda case: WORST_FIRST.index(case.ends))
    return Suite(f"{run.stored_run.name} budgets", "archbench run", tuple(cases), view)


def _held_case(row: Row, own: Sequence[Excess]) -> Case:
    """The case of a row held to budgets; an unfinished variant is not within them, whatever is known of it."""
    word = judge_standing(own)
    if word == WITHIN and row["status"] in UNFINISHED:
        return Case(row["name"], row["status"], (row["reason"] or row["status"],))
    worst_first = sorted(own, key=lambda each: each.word)
    return Case(row["name"], word, tuple(each.describe() for each in worst_first))
