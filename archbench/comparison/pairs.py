"""Pairs of networks, base and new, judged by each limit: counts to the digit, times by the contrast of their blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from archbench.comparison.gate import Finding, Limit
from archbench.comparison.judgement import NetworkJudgement
from archbench.runs.records import UNFINISHED, Record
from archbench.statistics.verdicts import Contrast, Word, judge_contrasts
from archbench.text import visible


@dataclass(frozen=True)
class Pair:
    """One network and its base. Of several records, its replicas, a side is one all the same."""

    id: str
    name: str
    base: tuple[Record, ...]
    new: tuple[Record, ...]

    @property
    def why_unfinished(self) -> str:
        """The reason why a side is unfinished, having failed or not been reached; empty where both are finished."""
        return next((_describe_side(side, each) for side, each in self._sides if each.status in UNFINISHED), "")

    @property
    def why_missing(self) -> str:
        """The reason why there are no times to compare."""
        return self._why_unmeasured("base", "new") or "no times of it are kept"

    def why_lacking(self, *, base: bool, new: bool) -> str:
        """The reason why the sides that lack a number lack it; empty where none does."""
        sides = ["base"] * base + ["new"] * new
        where = " or ".join(sides)
        return self._why_unmeasured(*sides) or (f"not known of {where}" if where else "")

    def _why_unmeasured(self, *sides: str) -> str:
        return next(
            (_describe_side(s, each) for s, each in self._sides if s in sides and each.status != "measured"), ""
        )

    @property
    def _sides(self) -> Iterator[tuple[str, Record]]:
        return ((side, each) for side, own in (("base", self.base), ("new", self.new)) for each in own)


def _describe_side(side: str, record: Record) -> str:
    word = "not measured" if record.status == "priced" else record.status
    return f"{side} {word}" + (f": {visible(record.reason, 200)}" if record.reason else "")


@dataclass(frozen=True)
class Timing:
    """The measured times of one pair: the contrast of its blocks, and the milliseconds the table has for either side."""

    contrast: Contrast
    base_ms: float | None
    new_ms: float | None


Timings = Callable[[str, Sequence[Pair]], Sequence[Timing]]  # by a metric's name, one a pair


def judge_all(
    pairs: Sequence[Pair], limits: Iterable[Limit], timings: Timings, *, every: bool
) -> tuple[NetworkJudgement, ...]:
    """Judge each pair by each limit. With `every`, a metric that neither side has is passed over, not held against the pair.

    A side that failed or was not reached passes no limit, whatever is known of it; what got worse did so all the same.
    """
    found: list[list[Finding]] = [[] for _ in pairs]
    for limit in limits:
        own = judge_timed(limit, pairs, timings(limit.metric, pairs)) if limit.is_timed else judge_counts(limit, pairs)
        for findings, finding in zip(found, own, strict=True):
            if not (every and not limit.is_timed and finding.base is None and finding.new is None):
                findings.append(finding)
    return tuple(_judge_pair(pair, findings) for pair, findings in zip(pairs, found, strict=True))


def _judge_pair(pair: Pair, findings: Iterable[Finding]) -> NetworkJudgement:
    why = pair.why_unfinished
    held = (withhold(each, why) if why else each for each in findings)
    return NetworkJudgement(pair.id, pair.name, tuple(held), unfinished=why)


def judge_counts(limit: Limit, pairs: Iterable[Pair]) -> list[Finding]:
    """Findings on numbers of which a side has one: counts, and the memory a device told of."""
    found = []
    for pair in pairs:
        base, new = (_metric_of(limit.metric, side) for side in (pair.base, pair.new))
        found.append(judge_exact(limit, base, new, pair.why_lacking(base=base is None, new=new is None)))
    return found


def _metric_of(metric: str, records: Iterable[Record]) -> int | None:
    """The metric of one network; the most over its replicas."""
    values = (
        record.memory_bytes if metric == "memory_bytes" else (record.exact or record.traced or {}).get(metric)
        for record in records
    )
    return max((value for value in values if value is not None), default=None)


def judge_timed(limit: Limit, pairs: Sequence[Pair], timings: Sequence[Timing]) -> list[Finding]:
    """Findings on times by their intervals, each allowed its share of the base's; tested over all pairs together."""
    numbered = {str(place): timing for place, timing in enumerate(timings)}
    margins = {place: _relative_margin(limit, timing.base_ms) for place, timing in numbered.items()}
    verdicts = judge_contrasts({place: timing.contrast for place, timing in numbered.items()}, margin=margins)
    found = []
    for pair, timing, verdict in zip(pairs, timings, verdicts.values(), strict=True):
        why = verdict.why if verdict.generations else pair.why_missing
        known = replace(verdict, why=why)
        found.append(Finding(limit, verdict.word, timing.base_ms, timing.new_ms, known, why))
    return found


def _relative_margin(limit: Limit, base_ms: float | None) -> float:
    """The allowance as a share; where the base has no time there is nothing to judge, and it does not matter."""
    if limit.relative or base_ms is None:
        return limit.amount
    return limit.allowance(base_ms) / base_ms


def withhold(finding: Finding, why: str) -> Finding:
    """A finding that must not pass, for this reason: anything but a regression becomes inconclusive."""
    if finding.word == "regressed":
        return finding
    verdict = finding.verdict and replace(finding.verdict, word="inconclusive", why=why)
    return replace(finding, word="inconclusive", verdict=verdict, why=why)


def judge_exact(limit: Limit, base: float | None, new: float | None, why: str) -> Finding:
    """The finding on one number a side, compared to the digit; `why` says why one is missing."""
    if base is None or new is None or not (math.isfinite(base) and math.isfinite(new)):
        return Finding(limit, "inconclusive", base, new, why=why)
    allowed, change = limit.allowance(base), new - base
    word: Word = "regressed" if change > allowed else "improved" if change < -allowed else "equivalent"
    return Finding(limit, word, base, new)
