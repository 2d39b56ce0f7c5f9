"""A run held to what it was given: its budgets, in a comparison its limits, and the one word that it all comes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from archbench.comparison.budgets import Excess, budget_table, find_excesses, mark_table, stored_budgets
from archbench.comparison.gate import NetworkJudgement
from archbench.comparison.paired import judge_pairs, read_limits
from archbench.comparison.verdict_table import Judgement
from archbench.runs.run import StoredRun
from archbench.tables.run_table import RunTable, tabulate
from archbench.tables.table import Row, Table

Outcome = Literal["done", "failed", "inconclusive", "regressed"]
WORSE: tuple[Outcome, ...] = ("done", "failed", "inconclusive", "regressed")


@dataclass(frozen=True)
class JudgedRun:
    """A run, its table with how each row stands with the budgets, and in a comparison what is said of each pair.

    `held` are the rows that are held to the budgets, each with what it has against them; a comparison's bases are not.
    """

    unmarked: RunTable
    table: Table
    held: tuple[tuple[Row, tuple[Excess, ...]], ...] = ()
    budget_table: Table | None = None
    judgement: Judgement | None = None
    verdict_table: Table | None = None

    @property
    def stored(self) -> StoredRun:
        return self.unmarked.stored

    @property
    def excesses(self) -> tuple[Excess, ...]:
        return tuple(excess for _, own in self.held for excess in own)

    @property
    def verdicts(self) -> dict[str, NetworkJudgement]:
        """In a comparison, what is said of each pair; nothing in another run."""
        return self.judgement.verdicts if self.judgement else {}

    @property
    def outcome(self) -> Outcome:
        """A regression or a budget exceeded goes before what could not be told or was lost, that before a variant that failed."""
        judged = self.judgement.word if self.judgement else None
        budgets = {excess.word for excess in self.excesses}
        if judged == "regressed" or "over" in budgets:
            return "regressed"
        if judged == "inconclusive" or "untold" in budgets or self.unmarked.lost:
            return "inconclusive"
        return "done" if self.stored.complete else "failed"


def judge_run(stored: StoredRun) -> JudgedRun:
    """Hold a run to its budgets, and a comparison to its limits. Raises ResultsError where a stored limit is none."""
    run = tabulate(stored)
    judgement = judge_pairs(run, read_limits(stored.manifest)) if stored.compares else None
    verdicts = judgement.table if judgement else None
    budgets = stored_budgets(stored.manifest)
    if not budgets:
        return JudgedRun(run, run.table, judgement=judgement, verdict_table=verdicts)
    found = find_excesses(stored.records, run.table.rows, budgets)
    held = tuple((row, own) for row, own in zip(run.table.rows, found, strict=True) if own is not None)
    over = budget_table([excess for _, own in held for excess in own], budgets)
    return JudgedRun(run, mark_table(run.table, found), held, over, judgement, verdicts)


def mark_run(run: RunTable) -> Table:
    """The run's table; where there are budgets with how each row stands."""
    budgets = stored_budgets(run.stored.manifest)
    return mark_table(run.table, find_excesses(run.stored.records, run.table.rows, budgets)) if budgets else run.table


def worst_outcome(runs: Iterable[JudgedRun]) -> Outcome:
    """The worst of what several runs came to."""
    return max((run.outcome for run in runs), key=WORSE.index)
