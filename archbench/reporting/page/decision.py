"""The decisions that a table allows: the line of the best, the cost of each step along it, the fastest within a limit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from archbench.runs.records import Key
from archbench.space.selection import find_front
from archbench.statistics.summary import Ties
from archbench.tables.table import Row

MOST_STEPS = 12  # what is taken in at one look
RUNGS = 9  # of a ladder of budgets, at most


@dataclass(frozen=True)
class Terms:
    """The metric that is paid and the metric that is had for it, by name."""

    cost: str
    gain: str


@dataclass(frozen=True)
class FrontStep:
    """A variant of the line. Differences are to the step before it; null for the first, and `factor` where that was 0.

    `factor` is of latencies by the fit where there is one, not the quotient of two medians.
    """

    row: Row
    cost_more: float | None = None
    gain_more: float | None = None
    factor: float | None = None
    sure: bool | None = None  # whether the costs of the two are told apart; null: not known


@dataclass(frozen=True)
class Peers:
    """The other variants that were timed, as one stands to them.

    `ties` cannot be told from it, `apart` can; `missing` were never compared with it, counted by the reason.
    """

    ties: tuple[Row, ...] = ()
    apart: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rung:
    """The fastest variant of at most so many MACs, from `least` to `most`, and how it stands to the others within.

    `among` counts the variants it is the fastest of, at either end.
    """

    least: float
    most: float
    among: tuple[int, int]
    row: Row
    peers: Peers


def row_key(row: Row) -> Key:
    return row["id"], row["replica"]


def choose_terms(rows: Sequence[Row]) -> Terms:
    """The terms of a choice: latency buys score, MACs stand in for either one missing; priced alone, peak memory buys MACs."""
    measured = any(row["latency_ms"] is not None for row in rows)
    scored = any(row["score"] is not None for row in rows)
    return Terms("latency_ms" if measured else "macs" if scored else "peak_bytes", "score" if scored else "macs")


def find_line(rows: Sequence[Row], cost: str, gain: str, *, gain_side: str = "max") -> list[Row]:
    """The variants that nothing else beats in both, cheapest first; of equals the first. None that failed: it cannot be taken."""
    possible = [row for row in rows if row["status"] != "failed"]
    known = [row for row in possible if row.get(cost) is not None and row.get(gain) is not None]
    sides = find_front([(row[cost], row[gain]) for row in known], ["min", "max" if gain_side == "max" else "min"])
    best: dict[tuple[float, float], Row] = {}
    for row, on_front in zip(known, sides, strict=True):
        if on_front:
            best.setdefault((row[cost], row[gain]), row)
    return [best[place] for place in sorted(best)]


def thin_line(rows: Sequence[Row], most: int = MOST_STEPS) -> list[Row]:
    """At most `most` variants of a line, both ends among them and the reference where it is on it."""
    if len(rows) <= most:
        return list(rows)
    kept = {round(place * (len(rows) - 1) / (most - 1)) for place in range(most)}
    return [row for place, row in enumerate(rows) if place in kept or row["reference"]]


def find_front_steps(rows: Sequence[Row], by: Terms, ties: Ties) -> list[FrontStep]:
    """The variants of a line, each with what it costs and gives more than the one before it."""
    found = [FrontStep(row) for row in rows[:1]]
    for before, row in pairwise(rows):
        known = by.cost != "latency_ms" or ties.why_apart(row_key(before), row_key(row)) is None
        apart = by.cost != "latency_ms" or row_key(row) not in ties.ties_of(row_key(before))
        more = row[by.cost] - before[by.cost], row[by.gain] - before[by.gain]
        found.append(FrontStep(row, *more, _cost_factor(before, row, by.cost), apart if known else None))
    return found


def _cost_factor(before: Row, row: Row, cost: str) -> float | None:
    """The factor between two costs: of latencies by the fit, as intervals and ranks are, where it has both."""
    by = "ratio" if cost == "latency_ms" and row["ratio"] is not None and before["ratio"] is not None else cost
    return row[by] / before[by] if before[by] else None


def list_speeds(rows: Sequence[Row]) -> list[float | None]:
    """The numbers that rows are ordered by: the fit's ratios where all measured ones have one, as ranks are, else latency."""
    known = [row for row in rows if row.get("latency_ms") is not None]
    by = "ratio" if all(row["ratio"] is not None for row in known) else "latency_ms"
    return [None if row.get("latency_ms") is None else float(row[by]) for row in rows]


def find_fastest(rows: Sequence[Row]) -> Row | None:
    """The row of least latency; null where nothing was measured."""
    known = [(speed, place) for place, speed in enumerate(list_speeds(rows)) if speed is not None]
    return rows[min(known)[1]] if known else None


def find_peers(row: Row, rows: Sequence[Row], ties: Ties) -> Peers:
    """The peers of `row` among the others of `rows` that have a latency; its ties are fastest first."""
    others = [other for other in rows if other is not row and other["latency_ms"] is not None]
    own = ties.ties_of(row_key(row))
    near = sorted((other for other in others if row_key(other) in own), key=lambda other: float(other["latency_ms"]))
    reasons = [ties.why_apart(row_key(row), row_key(other)) for other in others]
    missing = Counter(reason for reason in reasons if reason is not None)
    return Peers(tuple(near), len(others) - len(near) - missing.total(), missing)


def find_rungs(rows: Sequence[Row], ties: Ties) -> list[Rung]:
    """The fastest variant within each of a few round numbers of MACs, up to the first that all are within."""
    known = [row for row in rows if row["latency_ms"] is not None and row["macs"]]
    if len(known) < 2:
        return []
    rungs: list[Rung] = []
    for most in choose_round_numbers(min(row["macs"] for row in known), max(row["macs"] for row in known)):
        within = [row for row in known if row["macs"] <= most]
        if within and (best := find_fastest(within)) is not None:
            rung = Rung(most, most, (len(within), len(within)), best, find_peers(best, within, ties))
            last = rungs.pop() if rungs and _says_the_same(rungs[-1], rung) else rung
            rungs.append(replace(rung, least=last.least, among=(last.among[0], len(within))))
    return rungs


def _says_the_same(one: Rung, other: Rung) -> bool:
    return (one.row, one.peers.ties, one.peers.missing) == (other.row, other.peers.ties, other.peers.missing)


def choose_round_numbers(low: float, high: float) -> list[float]:
    """At most RUNGS evenly spaced round numbers from the first above `low` to the first not under `high`."""
    for power in range(math.floor(math.log10(max(high - low, high / 100))) - 1, math.floor(math.log10(high)) + 2):
        for digit in (1, 2, 5):
            width = digit * 10.0**power
            first, last = math.ceil(low / width), math.ceil(high / width)
            if last - first < RUNGS:
                return [place * width for place in range(first, last + 1)]
    return [high]
