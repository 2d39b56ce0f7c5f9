"""Two stored runs, network by network: matched by id, counts exactly, times by their intervals, and never passed unseen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from archbench.design.document import visible
from archbench.design.schema import Quantity
from archbench.errors import ResultsError
from archbench.metrics import EXACT
from archbench.reporting.comparison import stored_table
from archbench.reporting.environments import differences
from archbench.reporting.gate import EVERY_COUNT, LATENCY, Finding, Judged, Limit, judge_exact, worst
from archbench.reporting.records import Block, Record
from archbench.reporting.rounds import whole_rounds
from archbench.reporting.runs import Run, failed_keys, planned_quantity
from archbench.reporting.sides import open_side
from archbench.reporting.tables import Table
from archbench.reporting.verdicts import Word, judge, welch

Counted = Mapping[str, Sequence[Block]]  # id -> its counted blocks, replicas together


@dataclass(frozen=True)
class Pair:
    """One network in both runs; its replicas are pooled."""

    id: str
    name: str
    base: tuple[Record, ...]
    new: tuple[Record, ...]


@dataclass(frozen=True)
class Comparison:
    """What is said of two runs. `added` and `removed` are in one of them only; `across` is what differs around them."""

    base: Run
    new: Run
    limits: tuple[Limit, ...]
    judged: tuple[Judged, ...]
    added: tuple[Record, ...]
    removed: tuple[Record, ...]
    across: tuple[str, ...]

    @property
    def verdicts(self) -> dict[str, Judged]:
        """By the network's name in the new run."""
        return {each.name: each for each in self.judged}

    @property
    def view(self) -> Table:
        """The verdicts as a table, for every format."""
        return stored_table(self.judged, added=self.added, removed=self.removed, across=self.across, limits=self.limits)

    @property
    def word(self) -> Word:
        """The worst of all: what vanished, and nothing in common, cannot be told."""
        gone: list[Word] = ["inconclusive"] if self.removed else []
        return worst([*(each.word for each in self.judged), *gone])


def compare(
    base: str | Path | Run,
    new: str | Path | Run,
    *,
    results: str | Path = "results",
    limits: Sequence[Limit] = (),
    across: bool = False,
) -> Comparison:
    """Judge each network that is in both runs. A run is a folder, an id, `SPEC/@latest` or `git:REV[:RUN]`.

    Without `limits` no count may rise, and where anything was measured latency may by the margin of `verdicts.py`. Raises
    ResultsError where times of different environments or quantities would be compared; `across` lets the former pass.
    """
    before, after = (side if isinstance(side, Run) else open_side(str(side), Path(results)) for side in (base, new))
    pairs, added, removed = match(before.records, after.records)
    timed = any(run.folder.header["environment"]["device"] != "none" for run in (before, after))
    asked = tuple(limits) or (*EVERY_COUNT, *([LATENCY] if timed else []))
    around = check_kind(before, after, asked, across=across) if pairs else ()
    judged = judge_all(pairs, before, after, asked, every=not limits)
    return Comparison(before, after, asked, judged, added, removed, around)


def match(
    base: Iterable[Record], new: Iterable[Record]
) -> tuple[tuple[Pair, ...], tuple[Record, ...], tuple[Record, ...]]:
    """The networks in both, those only in the new run and those only in the base, each in its run's order."""
    before, after = _by_id(base), _by_id(new)
    pairs = tuple(Pair(each, own[0].name, before[each], own) for each, own in after.items() if each in before)
    added = tuple(own[0] for each, own in after.items() if each not in before)
    removed = tuple(own[0] for each, own in before.items() if each not in after)
    return pairs, added, removed


def _by_id(records: Iterable[Record]) -> dict[str, tuple[Record, ...]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.id, []).append(record)
    return {identifier: tuple(own) for identifier, own in found.items()}


def check_kind(base: Run, new: Run, limits: Iterable[Limit], *, across: bool) -> tuple[str, ...]:
    """What differs between the environments of two measured runs. Raises ResultsError where that was not asked for."""
    if all(limit.metric in EXACT for limit in limits) or not (_is_measured(base) and _is_measured(new)):
        return ()
    one, other = planned_quantity(base.folder), planned_quantity(new.folder)
    if one != other:
        raise ResultsError(f"the base's latency is of a {one}, the new one's of a {other}; measure both alike")
    found = differences(base.folder.header["environment"], new.folder.header["environment"])
    if found and not across:
        raise ResultsError(
            f"measured in different environments ({'; '.join(found)}): what differs may be theirs and not the networks'; "
            "measure both in one, or insist with --across"
        )
    return found


def _is_measured(run: Run) -> bool:
    return any(record.status == "measured" for record in run.records)


def judge_all(
    pairs: Sequence[Pair], base: Run, new: Run, limits: Sequence[Limit], *, every: bool
) -> tuple[Judged, ...]:
    """Each pair under each limit. With `every`, a metric that neither side has is passed over, not held against it."""
    found: dict[str, list[Finding]] = {pair.id: [] for pair in pairs}
    for limit in limits:
        judging = judge_timed if limit.timed else judge_counts
        for identifier, finding in judging(limit, pairs, base, new).items():
            if not (every and not limit.timed and finding.base is None and finding.new is None):
                found[identifier].append(finding)
    return tuple(Judged(pair.id, pair.name, tuple(found[pair.id])) for pair in pairs)


def judge_counts(limit: Limit, pairs: Iterable[Pair], base: Run, new: Run) -> dict[str, Finding]:
    """Numbers of which a side has one: counts, and the memory a device told of."""
    number = partial(_number, limit.metric)
    return {pair.id: judge_exact(limit, number(pair.base), number(pair.new), _missing(pair)) for pair in pairs}


def _number(metric: str, records: Iterable[Record]) -> int | None:
    """The metric of one network; the most over its replicas."""
    values = (
        record.memory_bytes if metric == "memory_bytes" else (record.exact or record.traced or {}).get(metric)
        for record in records
    )
    return max((value for value in values if value is not None), default=None)


def _missing(pair: Pair) -> str:
    """Why a side has nothing to compare."""
    for side, records in (("base", pair.base), ("new", pair.new)):
        for record in records:
            if record.status != "measured":
                word = "not measured" if record.status == "priced" else record.status
                return f"{word} in the {side} run" + (f": {visible(record.reason, 200)}" if record.reason else "")
    return "not known on both sides"


def judge_timed(limit: Limit, pairs: Sequence[Pair], base: Run, new: Run) -> dict[str, Finding]:
    """Times by their intervals, each allowed its share of the base's own."""
    before, after = counted(base, limit.metric), counted(new, limit.metric)
    times = [_times(run, limit.metric) for run in (base, new)]
    contrasts = {pair.id: welch(before.get(pair.id, ()), after.get(pair.id, ())) for pair in pairs}
    margins = {pair.id: _margin(limit, times[0].get(pair.id)) for pair in pairs}
    verdicts = judge(contrasts, margin=margins)
    found = {}
    for pair in pairs:
        verdict = verdicts[pair.id]
        why = verdict.why if verdict.generations else _missing(pair)
        sides = times[0].get(pair.id), times[1].get(pair.id)
        found[pair.id] = Finding(limit, verdict.word, *sides, replace(verdict, why=why), why)
    return found


def _margin(limit: Limit, base_ms: float | None) -> float:
    """The share that is allowed; where the base has no time there is nothing to allow it of, and nothing to judge."""
    if limit.relative or base_ms is None:
        return limit.amount
    return limit.allowed(base_ms) / base_ms


def _times(run: Run, metric: str) -> dict[str, float]:
    """The table's time of each network, the mean over its replicas."""
    found: dict[str, list[float]] = {}
    for row in run.view.rows:
        if row[metric] is not None:
            found.setdefault(row["id"], []).append(row[metric])
    return {identifier: sum(values) / len(values) for identifier, values in found.items()}


def counted(run: Run, metric: str) -> Counted:
    """The blocks behind a metric of each network that did not fail."""
    failed = failed_keys(run.records)
    quantity: Quantity = planned_quantity(run.folder) if metric == "latency_ms" else QUANTITIES[metric]
    blocks = [block for block in whole_rounds(run.blocks, failed) if block.key not in failed]
    own = [block for block in blocks if block.quantity == quantity]
    if quantity == "device" and not own and run.folder.header["environment"]["device"] == "cpu":
        own = [replace(block, quantity="device") for block in blocks if block.quantity == planned_quantity(run.folder)]
    found: dict[str, list[Block]] = {}
    for block in own:
        if min(block.counted_ns, default=0) > 0:
            found.setdefault(block.id, []).append(block)
    return found


QUANTITIES: dict[str, Any] = {"step_ms": "step", "device_ms": "device"}
