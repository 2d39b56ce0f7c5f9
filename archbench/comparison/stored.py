"""Two stored runs, network by network: matched by id, counts exactly, times by their intervals, and never passed unseen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from archbench.comparison.gate import EVERY_COUNT, LATENCY, Limit
from archbench.comparison.judgement import Judgement, NetworkJudgement
from archbench.comparison.pairs import Pair, Timing, judge_all
from archbench.errors import ResultsError
from archbench.metrics import EXACT
from archbench.runs.manifest import find_differences
from archbench.runs.records import Block, Record
from archbench.runs.revisions import open_side
from archbench.runs.run import StoredRun
from archbench.statistics.verdicts import Word, choose_blocks, contrast_runs
from archbench.tables.run_table import RunTable, tabulate_run

CountedBlocks = Mapping[str, Sequence[Block]]  # id -> its counted blocks, replicas together


class HoldsRun(Protocol):
    """A run that was read already: a table of it, what it was judged, or what `archbench.run` returns."""

    @property
    def stored_run(self) -> StoredRun: ...


@dataclass(frozen=True)
class Comparison:
    """Two stored runs and the judgement of the new one against the base."""

    base: RunTable
    new: RunTable
    judgement: Judgement

    @property
    def verdicts(self) -> dict[str, NetworkJudgement]:
        """The judgement of each network, by its name in the new run."""
        return self.judgement.verdicts

    @property
    def word(self) -> Word:
        """The worst word of all verdicts."""
        return self.judgement.word


def compare(
    base: str | Path | StoredRun | HoldsRun,
    new: str | Path | StoredRun | HoldsRun,
    *,
    results: str | Path = "results",
    limits: Sequence[Limit] = (),
    across: bool = False,
) -> Comparison:
    """Judge each network that is in both runs. A run is a folder, an id, `SPEC/@latest` or `git:REV[:RUN]`.

    Without `limits` no count may rise, and where anything was measured latency may by the margin of `verdicts.py`. Raises
    ResultsError where times of different environments or quantities would be compared; `across` lets the former pass.
    """
    before, after = (_read_side(side, Path(results)) for side in (base, new))
    pairs, added, removed = match_networks(before.records, after.records)
    timed = any(run.device != "none" for run in (before, after))
    asked = tuple(limits) or (*EVERY_COUNT, *([LATENCY] if timed else []))
    around = check_comparable(before, after, asked, across=across) if pairs else ()
    tables = tabulate_run(before), tabulate_run(after)
    judged = judge_all(pairs, asked, partial(_time_networks, *tables), every=not limits)
    return Comparison(*tables, Judgement(after.name, asked, judged, added, removed, around))


def _read_side(side: str | Path | StoredRun | HoldsRun, results: Path) -> StoredRun:
    if isinstance(side, str | Path):
        return open_side(str(side), results)
    return side if isinstance(side, StoredRun) else side.stored_run


def match_networks(
    base: Iterable[Record], new: Iterable[Record]
) -> tuple[tuple[Pair, ...], tuple[Record, ...], tuple[Record, ...]]:
    """The networks in both, those only in the new run and those only in the base, each in its run's order."""
    before, after = _group_by_id(base), _group_by_id(new)
    pairs = tuple(Pair(each, own[0].name, before[each], own) for each, own in after.items() if each in before)
    added = tuple(own[0] for each, own in after.items() if each not in before)
    removed = tuple(own[0] for each, own in before.items() if each not in after)
    return pairs, added, removed


def _group_by_id(records: Iterable[Record]) -> dict[str, tuple[Record, ...]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.id, []).append(record)
    return {identifier: tuple(own) for identifier, own in found.items()}


def check_comparable(base: StoredRun, new: StoredRun, limits: Iterable[Limit], *, across: bool) -> tuple[str, ...]:
    """The differences between the environments of two measured runs. Raises ResultsError where any was not allowed."""
    if all(limit.metric in EXACT for limit in limits) or not (is_measured(base) and is_measured(new)):
        return ()
    if base.quantity != new.quantity:
        raise ResultsError(
            f"the base's latency is of a {base.quantity}, the new one's of a {new.quantity}; measure both alike"
        )
    found = find_differences(base.manifest["environment"], new.manifest["environment"])
    if found and not across:
        raise ResultsError(
            f"measured in different environments ({'; '.join(found)}): what differs may be theirs and not the networks'; "
            "measure both in one, or insist with --across"
        )
    return found


def is_measured(run: StoredRun) -> bool:
    """Whether a run has measured anything: by its blocks too, as a killed run has more blocks than records."""
    return any(record.status == "measured" for record in run.records) or bool(run.blocks)


def _time_networks(base: RunTable, new: RunTable, metric: str, pairs: Iterable[Pair]) -> list[Timing]:
    """The times of each pair of two runs, which shared no turns."""
    before, after = find_counted_blocks(base.stored_run, metric), find_counted_blocks(new.stored_run, metric)
    times = [_average_times(run, metric) for run in (base, new)]
    return [
        Timing(
            contrast_runs(before.get(pair.id, ()), after.get(pair.id, ())), times[0].get(pair.id), times[1].get(pair.id)
        )
        for pair in pairs
    ]


def _average_times(run: RunTable, metric: str) -> dict[str, float]:
    """The time of each network in the run's table, the mean over its replicas."""
    found: dict[str, list[float]] = {}
    for row in run.table.rows:
        if row[metric] is not None:
            found.setdefault(row["id"], []).append(row[metric])
    return {identifier: sum(values) / len(values) for identifier, values in found.items()}


def find_counted_blocks(run: StoredRun, metric: str) -> CountedBlocks:
    """The blocks behind a metric of each network that did not fail."""
    blocks = choose_blocks(
        metric,
        run.blocks,
        failed=run.failed_keys,
        latency=run.quantity,
        synchronous=run.is_synchronous,
    )
    found: dict[str, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.id, []).append(block)
    return found
