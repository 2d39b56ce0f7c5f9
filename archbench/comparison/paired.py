"""`run --against`: the pairs that took turns in one experiment, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archbench.comparison.gate import LATENCY, Limit, parse_limits
from archbench.comparison.pairs import Pair, Timing, judge_all, judge_timed
from archbench.comparison.verdict_table import Judgement
from archbench.errors import ResultsError, SpecError
from archbench.runs.records import Key, Record
from archbench.statistics.verdicts import choose_blocks, contrast_pair
from archbench.tables.run_table import RunTable


def read_limits(header: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits a run is judged by, none where it was told none. Raises ResultsError where what is stored is no limit."""
    text = header.get("fail_on")
    if text is None:
        return ()
    try:
        return parse_limits(str(text))
    except SpecError as error:
        raise ResultsError(f"run.json is damaged: its fail_on is no limit ({error.message})") from error


def join_limits(limits: Iterable[Limit]) -> str | None:
    """As `read_limits` reads them back; null of none."""
    return ", ".join(limit.text for limit in limits) or None


def judge_pairs(run: RunTable, limits: Sequence[Limit] = ()) -> Judgement:
    """Each pair under each limit; without any, latency may rise by the margin of `verdicts.py` and counts are no matter.

    What has no partner was measured alone: new ones are named, and what only the base has cannot be told, as in two stored
    runs. The latency of a pair is told where no limit names it too.
    """
    asked = tuple(limits) or (LATENCY,)
    records = run.stored.records
    pairs = pair_records(records)

    def timings(metric: str, pairs: Sequence[Pair]) -> list[Timing]:
        return _time_pairs(run, metric, pairs)

    judged = judge_all(pairs, asked, timings, every=False)
    measured = any(record.status == "measured" for record in records)
    if measured and all(limit.metric != "latency_ms" for limit in asked):
        told = judge_timed(LATENCY, pairs, timings("latency_ms", pairs))
        judged = tuple(replace(each, beside=own.verdict) for each, own in zip(judged, told, strict=True))
    added, removed = (_find_alone(records, side) for side in ("new", "base"))
    return Judgement(run.stored.name, asked, judged, added, removed, paired=True)


def pair_records(records: Iterable[Record]) -> tuple[Pair, ...]:
    """Those that have both sides, in the order of the new ones."""
    sides: dict[str, dict[str, Record]] = {}
    for record in records:
        if record.pair:
            sides.setdefault(record.pair, {})[record.side] = record
    both = [(name, own["base"], own["new"]) for name, own in sides.items() if own.keys() == {"base", "new"}]
    return tuple(Pair(new.id, name, (base,), (new,)) for name, base, new in both)


def _time_pairs(run: RunTable, metric: str, pairs: Sequence[Pair]) -> list[Timing]:
    stored = run.stored
    blocks = choose_blocks(
        metric, stored.blocks, failed=stored.failed_keys, latency=stored.quantity, synchronous=stored.synchronous
    )
    times: dict[Key, float | None] = {(row["id"], row["replica"]): row.get(metric) for row in run.table.rows}
    keys = [(pair.base[0].key, pair.new[0].key) for pair in pairs]
    return [Timing(contrast_pair(blocks, base, new), times.get(base), times.get(new)) for base, new in keys]


def _find_alone(records: Iterable[Record], side: str) -> tuple[Record, ...]:
    """What has no partner, one of its replicas."""
    found = {record.id: record for record in records if record.side == side and not record.pair}
    return tuple(found.values())
