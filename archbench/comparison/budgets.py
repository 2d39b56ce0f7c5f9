"""Budgets, which a spec sets its variants: each against each row of a run's table, by the interval where there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from archbench import units
from archbench.comparison.judgement import MARKS
from archbench.metrics import METRICS, TIMED
from archbench.runs.records import Record
from archbench.tables.table import Column, Row, Table

HALF_WIDTHS = {"latency_ms": "half_width", "step_ms": "step_half_width", "device_ms": "device_half_width"}

Word = Literal["over", "untold"]  # the worse is the first in the alphabet too
WITHIN = "within"
STANDING_WORDS: dict[Word, str] = {"over": "over", "untold": "cannot be told"}

COLUMNS = (
    Column("name", "name", "text", 0),
    Column("metric", "metric", "text", 1, lambda name: METRICS[name].label),
    Column("budget", "budget", "number", 2, of="metric"),
    Column("word", "verdict", "text", 3),
    Column("value", "value", "number", 4, of="metric"),
    Column("low", "95% from", "number", 5, of="metric"),
    Column("high", "to", "number", 6, of="metric"),
    Column("why", "why", "text", 7),
)
STANDING = Column("budgets", "budgets", "text", 3)  # of the comparison table


@dataclass(frozen=True)
class Excess:
    """A row and a budget it is over, or cannot be shown to be within. The value is from `low` to `high`."""

    name: str
    id: str
    metric: str
    budget: float
    value: float | None
    low: float | None
    high: float | None
    word: Word
    why: str

    def describe(self) -> str:
        """`latency ms 10.50 (10.40 to 10.60), budget 10.00`, for a line about what is wrong."""
        metric = METRICS[self.metric]
        value = units.MISSING if self.value is None else metric.format(self.value)
        ends = [] if None in (self.low, self.high) or self.low == self.high else [self.low or 0.0, self.high or 0.0]
        span = f" ({' to '.join(map(metric.format, ends))})" if ends else ""
        return f"{metric.label} {value}{span}, budget {metric.format(self.budget)}" + (
            f": {self.why}" if self.why else ""
        )


def find_excesses(
    records: Sequence[Record], rows: Sequence[Row], budgets: Mapping[str, float]
) -> tuple[tuple[Excess, ...] | None, ...]:
    """The excesses of each record's row; none where it keeps all budgets.

    Null where there are no budgets, and for the base of a comparison, which is not held to them.
    """
    return tuple(
        tuple(find_row_excesses(row, budgets)) if budgets and record.side != "base" else None
        for record, row in zip(records, rows, strict=True)
    )


def find_row_excesses(row: Mapping[str, Any], budgets: Mapping[str, float]) -> Iterator[Excess]:
    """The budgets one row is over or not shown to be within. A count decides by itself, a time by both ends of its interval."""
    for metric, budget in budgets.items():
        value = row.get(metric)
        low, high = _find_range(row, metric)
        if low is None or high is None:
            why = "one generation, no interval" if value is not None else row.get("reason") or "not measured"
            yield Excess(row["name"], row["id"], metric, budget, value, low, high, "untold", why)
        elif low > budget:
            yield Excess(row["name"], row["id"], metric, budget, value, low, high, "over", "")
        elif not high <= budget:
            yield Excess(row["name"], row["id"], metric, budget, value, low, high, "untold", "its interval holds it")


def _find_range(row: Mapping[str, Any], metric: str) -> tuple[float | None, float | None]:
    """The least and the most that a row's metric may be; nulls where it is not known."""
    value = row.get(metric)
    if value is None or metric not in TIMED:
        return value, value
    width = row.get(HALF_WIDTHS[metric])
    return (None, None) if width is None else (value / (1 + width), value * (1 + width))


def stored_budgets(header: Mapping[str, Any]) -> dict[str, float]:
    """The budgets a run was begun with."""
    return dict(header["spec"].get("budgets", {}))


def judge_standing(found: Sequence[Excess]) -> str:
    """The standing of a row with all its budgets: over where it is over one, else not to be told where one cannot be told."""
    words = {each.word for each in found}
    return STANDING_WORDS["over"] if "over" in words else STANDING_WORDS["untold"] if words else WITHIN


def mark_table(table: Table, found: Sequence[Sequence[Excess] | None]) -> Table:
    """The table with a column that says of each row how it stands."""
    told = [None if each is None else judge_standing(each) for each in found]
    rows = tuple(row | {STANDING.name: word} for row, word in zip(table.rows, told, strict=True))
    last = table.columns[-1:]  # the reason, which is long
    return replace(table, columns=(*table.columns[:-1], STANDING, *last), rows=rows)


def format_budgets(budgets: Mapping[str, float]) -> str:
    """The budgets as they were set."""
    return ", ".join(f"{METRICS[metric].label} {METRICS[metric].format(most)}" for metric, most in budgets.items())


def budget_table(found: Sequence[Excess], budgets: Mapping[str, float]) -> Table:
    """One row an excess, what is over first. The caption says what was asked and how many fail it."""
    found = sorted(found, key=lambda each: each.word)
    counts = Counter(each.word for each in found)
    said = [f"{counts['over']} over"] * bool(counts["over"])
    said += [f"{counts['untold']} not shown to be within"] * bool(counts["untold"])
    return Table(
        "",
        COLUMNS,
        tuple(map(_excess_row, found)),
        (f"budgets ({format_budgets(budgets)}): {', '.join(said) or 'all are within'}",),
    )


def _excess_row(found: Excess) -> Row:
    """An excess as a row, in base units; an exact number has no interval."""
    ends = (None, None) if found.low == found.high else (found.low, found.high)
    return {
        "name": found.name,
        "id": found.id,
        "metric": found.metric,
        "budget": found.budget,
        "word": STANDING_WORDS[found.word],
        "value": found.value,
        "low": ends[0],
        "high": ends[1],
        "why": found.why or None,
        **MARKS,
    }
