"""Networks in pairs, base and new, each under each limit: counts to the digit, times by what their blocks told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from archbench.design.document import visible
from archbench.reporting.gate import Finding, Judged, Limit, judge_exact
from archbench.reporting.records import Record
from archbench.reporting.verdicts import Contrast, judge


@dataclass(frozen=True)
class Pair:
    """One network and its base. Of several records, its replicas, a side is one all the same."""

    id: str
    name: str
    base: tuple[Record, ...]
    new: tuple[Record, ...]


@dataclass(frozen=True)
class Timing:
    """What was measured of one pair: the contrast of its blocks, and the milliseconds the table has for either side."""

    contrast: Contrast
    base_ms: float | None
    new_ms: float | None


Timings = Callable[[str, Sequence[Pair]], Sequence[Timing]]  # by a metric's name, one a pair


def judge_all(pairs: Sequence[Pair], limits: Iterable[Limit], timings: Timings, *, every: bool) -> tuple[Judged, ...]:
    """Each pair under each limit. With `every`, a metric that neither side has is passed over, not held against it."""
    found: list[list[Finding]] = [[] for _ in pairs]
    for limit in limits:
        own = judge_timed(limit, pairs, timings(limit.metric, pairs)) if limit.timed else judge_counts(limit, pairs)
        for findings, finding in zip(found, own, strict=True):
            if not (every and not limit.timed and finding.base is None and finding.new is None):
                findings.append(finding)
    return tuple(Judged(pair.id, pair.name, tuple(own)) for pair, own in zip(pairs, found, strict=True))


def judge_counts(limit: Limit, pairs: Iterable[Pair]) -> list[Finding]:
    """Numbers of which a side has one: counts, and the memory a device told of."""
    metric = limit.metric
    return [judge_exact(limit, _number(metric, each.base), _number(metric, each.new), missing(each)) for each in pairs]


def _number(metric: str, records: Iterable[Record]) -> int | None:
    """The metric of one network; the most over its replicas."""
    values = (
        record.memory_bytes if metric == "memory_bytes" else (record.exact or record.traced or {}).get(metric)
        for record in records
    )
    return max((value for value in values if value is not None), default=None)


def judge_timed(limit: Limit, pairs: Sequence[Pair], timings: Sequence[Timing]) -> list[Finding]:
    """Times by their intervals, each allowed its share of the base's own; tested over all pairs together."""
    numbered = {str(place): timing for place, timing in enumerate(timings)}
    margins = {place: _margin(limit, timing.base_ms) for place, timing in numbered.items()}
    verdicts = judge({place: timing.contrast for place, timing in numbered.items()}, margin=margins)
    found = []
    for pair, timing, verdict in zip(pairs, timings, verdicts.values(), strict=True):
        why = verdict.why if verdict.generations else missing(pair)
        known = replace(verdict, why=why)
        found.append(Finding(limit, verdict.word, timing.base_ms, timing.new_ms, known, why))
    return found


def _margin(limit: Limit, base_ms: float | None) -> float:
    """The share that is allowed; where the base has no time there is nothing to allow it of, and nothing to judge."""
    if limit.relative or base_ms is None:
        return limit.amount
    return limit.allowed(base_ms) / base_ms


def missing(pair: Pair) -> str:
    """Why a side has nothing to compare."""
    for side, records in (("base", pair.base), ("new", pair.new)):
        for record in records:
            if record.status != "measured":
                word = "not measured" if record.status == "priced" else record.status
                return f"{side} {word}" + (f": {visible(record.reason, 200)}" if record.reason else "")
    return "not known on both sides"
