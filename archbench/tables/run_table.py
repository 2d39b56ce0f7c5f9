"""The comparison table of a stored run: its samples summed up, a row a variant, and its caption."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import get_args

from archbench.design.spec.schema import Quantity
from archbench.runs.run import StoredRun
from archbench.runs.scores import select_scores
from archbench.statistics.summary import Ties, find_ties, summarise_blocks
from archbench.statistics.times import RunTimes
from archbench.tables.captions import lost_lines, run_lines
from archbench.tables.table import Table, build_table

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)


@dataclass(frozen=True)
class RunTable:
    """A stored run with its summaries and its table; budgets are not in it yet."""

    stored_run: StoredRun
    times: RunTimes
    table: Table

    @property
    def has_lost_samples(self) -> bool:
        """Whether a variant was measured whose samples are not there."""
        return bool(lost_lines(self.table.rows))


def tabulate_run(stored: StoredRun) -> RunTable:
    """The table of a stored run, as every format writes it."""
    times = summarise_times(stored)
    untimed = not times.latencies and all(record.status != "measured" for record in stored.records)
    manifest = stored.manifest
    table = build_table(
        stored.records,
        times,
        reference=stored.reference,
        scores=select_scores(manifest.get("scores"), stored.records, manifest["space"].get("strangers")),
        title=manifest["name"],
        notes=run_lines(manifest, untimed=untimed),
        spared=bool(manifest["space"].get("spared")),
    )
    return RunTable(stored, times, table)


def summarise_times(stored: StoredRun) -> RunTimes:
    """Summaries of every quantity. The processor's time on a CPU is in the blocks of the plan's quantity."""
    bases = frozenset(record.key for record in stored.records if record.side == "base")
    of_blocks = partial(
        summarise_blocks,
        stored.blocks,
        stored.reference,
        failed=stored.failed_keys,
        unranked=bases,
        looked=stored.has_budget,
    )
    summaries = {quantity: of_blocks(quantity=quantity) for quantity in QUANTITIES}
    if stored.is_synchronous and not summaries["device"]:
        summaries["device"] = of_blocks(quantity=stored.quantity, processor_time=True)
    target = stored.manifest["plan"].get("target") if stored.has_budget else None
    return RunTimes(summaries, stored.quantity, stored.has_budget, stored.is_synchronous, target)


def find_run_ties(stored: StoredRun) -> Ties:
    """Which variants of a run were compared with each other, and which of those could be equally fast."""
    return find_ties(stored.blocks, failed=stored.failed_keys, quantity=stored.quantity, looked=stored.has_budget)
