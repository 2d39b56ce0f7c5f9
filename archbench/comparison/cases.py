"""What CI is told: a case a network, the worst first, with its word and what is said of it. Whoever tells it reads this.

regressed, over                                fails
inconclusive, removed, cannot be told, failed  nothing is shown of it, so it does not pass
added                                          there is nothing to hold it against
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from archbench.comparison.budgets import WITHIN, WRITTEN, Excess, standing
from archbench.comparison.gate import Judged
from archbench.comparison.of_run import JudgedRun
from archbench.comparison.verdict_table import NOTHING_IN_BOTH, ONLY_BASE, Judgement
from archbench.runs.records import UNFINISHED, Record
from archbench.tables.table import Row, Table

Ends = Literal["fails", "untold", "skipped", "passes"]

ENDS: dict[str, Ends] = {
    **dict.fromkeys(("regressed", WRITTEN["over"]), "fails"),
    **dict.fromkeys(("inconclusive", "removed", WRITTEN["untold"], *UNFINISHED), "untold"),
    "added": "skipped",
    **dict.fromkeys(("improved", "equivalent", WITHIN), "passes"),
}
WORST_FIRST: tuple[Ends, ...] = ("fails", "untold", "passes", "skipped")
ALL = "the comparison"  # what stands for it where no network is in both


@dataclass(frozen=True)
class Case:
    """One network: its word and, where it has anything against it, what that is."""

    name: str
    word: str
    said: tuple[str, ...] = ()

    @property
    def ends(self) -> Ends:
        return ENDS[self.word]


@dataclass(frozen=True)
class Suite:
    """The cases of one question, who asked it, and its table; `summary` is one line on all."""

    name: str
    command: str
    cases: tuple[Case, ...]
    view: Table

    @property
    def summary(self) -> str:
        return self.view.caption[0]


def suites_of(run: JudgedRun) -> tuple[Suite, ...]:
    """What a run is held to: its base, its budgets, both or neither."""
    judged = (of_judgement(run.judgement),) if run.judgement else ()
    return (*judged, *((_of_budgets(run, run.budget_table),) if run.budget_table else ()))


def of_judgement(judgement: Judgement) -> Suite:
    """New networks against their bases."""
    cases = [*map(_judged, judgement.judged), *(Case(each.name, "removed", (ONLY_BASE,)) for each in judgement.removed)]
    cases += [_added(each, judgement) for each in judgement.added]
    cases.sort(key=lambda case: WORST_FIRST.index(case.ends))
    if not judgement.judged:
        cases.append(Case(ALL, "inconclusive", (NOTHING_IN_BOTH,)))
    return Suite(judgement.name, judgement.command, tuple(cases), judgement.view)


def _judged(judged: Judged) -> Case:
    fails = judged.word in ("regressed", "inconclusive")
    return Case(judged.name, judged.word, judged.said(judged.word) if fails else ())


def _added(record: Record, judgement: Judgement) -> Case:
    """Nothing to hold it against; but where it failed in the very run that is told of, that is."""
    if judgement.paired and record.status in UNFINISHED:
        return Case(record.name, record.status, (record.reason or record.status,))
    return Case(record.name, "added", (judgement.only_new,))


def _of_budgets(run: JudgedRun, view: Table) -> Suite:
    cases = sorted((_held(row, own) for row, own in run.held), key=lambda case: WORST_FIRST.index(case.ends))
    return Suite(f"{run.stored.name} budgets", "archbench run", tuple(cases), view)


def _held(row: Row, own: Sequence[Excess]) -> Case:
    """A variant that ended before it was all there is not within its budgets, whatever is known of it."""
    word = standing(own)
    if word == WITHIN and row["status"] in UNFINISHED:
        return Case(row["name"], row["status"], (row["reason"] or row["status"],))
    worst_first = sorted(own, key=lambda each: each.word)
    return Case(row["name"], word, tuple(each.said() for each in worst_first))
