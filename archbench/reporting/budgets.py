"""What a spec allows its variants: each budget against each row of a run's table, by the interval where there is one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from archbench import units
from archbench.design.limits import LIMITED, TIMED
from archbench.errors import ResultsError
from archbench.metrics import METRICS
from archbench.reporting.comparison import MARKS
from archbench.reporting.runs import Run
from archbench.reporting.tables import Column, Row, Table

HALF_WIDTHS = {"latency_ms": "half_width", "step_ms": "step_half_width", "device_ms": "device_half_width"}

Word = Literal["over", "untold"]

COLUMNS = (
    Column("name", "name", "text", 0),
    Column("metric", "metric", "text", 1),
    Column("budget", "budget", "text", 2),
    Column("word", "verdict", "text", 3),
    Column("value", "value", "text", 4),
    Column("why", "why", "text", 5),
)


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


def excesses(run: Run) -> tuple[Excess, ...]:
    """What a run has against its budgets; the base of a comparison is not held to them."""
    budgets = stored_budgets(run.folder.header)
    rows = zip(run.records, run.view.rows, strict=True) if budgets else ()
    return tuple(found for record, row in rows if record.side != "base" for found in excesses_of(row, budgets))


def excesses_of(row: Mapping[str, Any], budgets: Mapping[str, float]) -> Iterator[Excess]:
    """The budgets one row is over or not shown to be within. A count decides by itself, a time by both ends of its interval."""
    for metric, budget in budgets.items():
        value = row.get(metric)
        low, high = _span(row, metric)
        if low is None or high is None:
            why = "one generation, no interval" if value is not None else row.get("reason") or "not measured"
            yield Excess(row["name"], row["id"], metric, budget, value, low, high, "untold", why)
        elif low > budget:
            yield Excess(row["name"], row["id"], metric, budget, value, low, high, "over", "")
        elif not high <= budget:
            yield Excess(row["name"], row["id"], metric, budget, value, low, high, "untold", "its interval holds it")


def _span(row: Mapping[str, Any], metric: str) -> tuple[float | None, float | None]:
    """The least and the most that a row's metric may be; nulls where it is not known."""
    value = row.get(metric)
    if value is None or metric not in TIMED:
        return value, value
    width = row.get(HALF_WIDTHS[metric])
    return (None, None) if width is None else (value / (1 + width), value * (1 + width))


def stored_budgets(header: Mapping[str, Any]) -> dict[str, float]:
    """The budgets a run was begun with. Raises ResultsError where the file holds something else."""
    found = header["spec"].get("budgets", {}) if isinstance(header.get("spec"), dict) else {}
    if not isinstance(found, dict) or not all(metric in LIMITED and _is_amount(found[metric]) for metric in found):
        raise ResultsError(f"run.json: budgets are not numbers over 0 by metric: {ascii(found)[:80]}")
    return dict(found)


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def budget_table(found: Sequence[Excess], budgets: Mapping[str, float]) -> Table:
    """One row an excess. The caption says what was asked and how many fail it."""
    asked = ", ".join(f"{METRICS[metric].label} {METRICS[metric].write(budget)}" for metric, budget in budgets.items())
    counts = Counter(each.word for each in found)
    said = [f"{counts['over']} over"] * bool(counts["over"])
    said += [f"{counts['untold']} not shown to be within"] * bool(counts["untold"])
    return Table("", COLUMNS, tuple(map(_row, found)), (f"budgets ({asked}): {', '.join(said) or 'all are within'}",))


def _row(found: Excess) -> Row:
    metric = METRICS[found.metric]
    spread = found.low is not None and found.high is not None and found.low != found.high
    span = f" ({metric.write(found.low or 0)} to {metric.write(found.high or 0)})" if spread else ""
    return {
        "name": found.name,
        "id": found.id,
        "metric": metric.label,
        "budget": metric.write(found.budget),
        "word": {"over": "over", "untold": "cannot be told"}[found.word],
        "value": units.MISSING if found.value is None else metric.write(found.value) + span,
        "why": found.why or None,
        **MARKS,
    }
