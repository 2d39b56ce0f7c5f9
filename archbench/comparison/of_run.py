"""A run held to its budgets and, in a comparison, to its limits; and the one word that it all comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from archbench.comparison.budgets import Excess, budget_table, find_excesses, mark_table, stored_budgets
from archbench.comparison.gate import LATENCY, Limit, read_limits
from archbench.comparison.judgement import Judgement, NetworkJudgement
from archbench.comparison.pairs import Pair, Timing, judge_all, judge_timed
from archbench.runs.records import Key, Record
from archbench.runs.run import StoredRun
from archbench.statistics.verdicts import choose_blocks, contrast_pair
from archbench.tables.run_table import RunTable, tabulate_run
from archbench.tables.table import Row, Table

Outcome = Literal["done", "failed", "inconclusive", "regressed"]
WORSE: tuple[Outcome, ...] = ("done", "failed", "inconclusive", "regressed")


@dataclass(frozen=True)
class JudgedRun:
    """A run, its table with the standing of each row, and in a comparison the judgement of its pairs.

    `held` are the rows that are held to the budgets, each with what it has against them; a comparison's bases are not.
    """

    unmarked: RunTable
    table: Table
    held: tuple[tuple[Row, tuple[Excess, ...]], ...] = ()
    budget_table: Table | None = None
    judgement: Judgement | None = None
    verdict_table: Table | None = None

    @property
    def stored_run(self) -> StoredRun:
        return self.unmarked.stored_run

    @property
    def excesses(self) -> tuple[Excess, ...]:
        return tuple(excess for _, own in self.held for excess in own)

    @property
    def verdicts(self) -> dict[str, NetworkJudgement]:
        """The judgement of each pair of a comparison; empty in another run."""
        return self.judgement.verdicts if self.judgement else {}

    @property
    def outcome(self) -> Outcome:
        """A regression or a budget exceeded goes first, then what could not be told or was lost, then a failed variant."""
        judged = self.judgement.word if self.judgement else None
        budgets = {excess.word for excess in self.excesses}
        if judged == "regressed" or "over" in budgets:
            return "regressed"
        if judged == "inconclusive" or "untold" in budgets or self.unmarked.has_lost_samples:
            return "inconclusive"
        return "done" if self.stored_run.is_complete else "failed"


def judge_run(stored: StoredRun) -> JudgedRun:
    """Hold a run to its budgets, and a comparison to its limits. Raises ResultsError where a stored limit is none."""
    run = tabulate_run(stored)
    judgement = judge_pairs(run, read_limits(stored.manifest)) if stored.is_comparison else None
    verdicts = judgement.table if judgement else None
    budgets = stored_budgets(stored.manifest)
    if not budgets:
        return JudgedRun(run, run.table, judgement=judgement, verdict_table=verdicts)
    found = find_excesses(stored.records, run.table.rows, budgets)
    held = tuple((row, own) for row, own in zip(run.table.rows, found, strict=True) if own is not None)
    over = budget_table([excess for _, own in held for excess in own], budgets)
    return JudgedRun(run, mark_table(run.table, found), held, over, judgement, verdicts)


def judge_pairs(run: RunTable, limits: Sequence[Limit] = ()) -> Judgement:
    """Judge each pair by each limit; without any, latency may rise by the margin of `verdicts.py` and counts do not matter.

    What has no partner was measured alone: new ones are named, and what only the base has cannot be told, as in two stored
    runs. The latency of a pair is told where no limit names it too.
    """
    asked = tuple(limits) or (LATENCY,)
    records = run.stored_run.records
    pairs = pair_records(records)

    def timings(metric: str, pairs: Sequence[Pair]) -> list[Timing]:
        return _time_pairs(run, metric, pairs)

    judged = judge_all(pairs, asked, timings, every=False)
    measured = any(record.status == "measured" for record in records)
    if measured and all(limit.metric != "latency_ms" for limit in asked):
        told = judge_timed(LATENCY, pairs, timings("latency_ms", pairs))
        judged = tuple(replace(each, beside=own.verdict) for each, own in zip(judged, told, strict=True))
    added, removed = (_find_alone(records, side) for side in ("new", "base"))
    return Judgement(run.stored_run.name, asked, judged, added, removed, paired=True)


def pair_records(records: Iterable[Record]) -> tuple[Pair, ...]:
    """The pairs of records that have both sides, in the order of the new ones."""
    sides: dict[str, dict[str, Record]] = {}
    for record in records:
        if record.pair:
            sides.setdefault(record.pair, {})[record.side] = record
    both = [(name, own["base"], own["new"]) for name, own in sides.items() if own.keys() == {"base", "new"}]
    return tuple(Pair(new.id, name, (base,), (new,)) for name, base, new in both)


def _time_pairs(run: RunTable, metric: str, pairs: Sequence[Pair]) -> list[Timing]:
    stored = run.stored_run
    blocks = choose_blocks(
        metric, stored.blocks, failed=stored.failed_keys, latency=stored.quantity, synchronous=stored.is_synchronous
    )
    times: dict[Key, float | None] = {(row["id"], row["replica"]): row.get(metric) for row in run.table.rows}
    keys = [(pair.base[0].key, pair.new[0].key) for pair in pairs]
    return [Timing(contrast_pair(blocks, base, new), times.get(base), times.get(new)) for base, new in keys]


def _find_alone(records: Iterable[Record], side: str) -> tuple[Record, ...]:
    """The records without a partner, one of the replicas each."""
    found = {record.id: record for record in records if record.side == side and not record.pair}
    return tuple(found.values())


def mark_run(run: RunTable) -> Table:
    """A run's table; where there are budgets, with the standing of each row."""
    budgets = stored_budgets(run.stored_run.manifest)
    return (
        mark_table(run.table, find_excesses(run.stored_run.records, run.table.rows, budgets)) if budgets else run.table
    )


def worst_outcome(runs: Iterable[JudgedRun]) -> Outcome:
    """The worst outcome of several runs."""
    return max((run.outcome for run in runs), key=WORSE.index)
