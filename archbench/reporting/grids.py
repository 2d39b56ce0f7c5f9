"""The small tables of a design review: what each step up costs, who is fastest within a limit, new against base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archbench import units
from archbench.metrics import METRICS
from archbench.reporting.charts import shown
from archbench.reporting.decision import Rung, Step, Terms
from archbench.reporting.tables import Table
from archbench.reporting.wording import full_name, some, width, written


@dataclass(frozen=True)
class Grid:
    """A small table of words: headings, which of them stand over numbers, rows of cells. Not escaped."""

    title: str
    said: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


def step_grid(found: Sequence[Step], of: int, by: Terms) -> Grid:
    left_out = f"; {len(found)} of the {of} on the line, evenly chosen" if len(found) < of else ""
    beside = [name for name in ("macs", "params", "peak_bytes") if name not in (by.cost, by.gain)]
    measured = by.cost == "latency_ms"
    headings = [
        *("variant", METRICS[by.cost].title, *(["± 95 %"] if measured else []), METRICS[by.gain].title),
        *(METRICS[name].title for name in beside),
        *("to the reference", "costs more", "gives more", *(["told apart"] if measured else [])),
    ]
    rows = tuple(
        (
            *(full_name(step.row), written(step.row, by.cost), *([width(step.row)] if measured else [])),
            *(written(step.row, name) for name in (by.gain, *beside)),
            units.MISSING if step.row["ratio"] is None else units.ratio(step.row["ratio"]),
            *(_more(step, by), _gained(step, by), *([_apart(step)] if measured else [])),
        )
        for step in found
    )
    told = "; told apart: whether the interval of the two's ratio leaves out 1" if measured else ""
    said = f"each row is the next step up from the one above it{told}{left_out}"
    return Grid("What each step up costs", said, tuple(headings), (False, *(True,) * (len(headings) - 1)), rows)


def _more(step: Step, by: Terms) -> str:
    if step.cost_more is None:
        return units.MISSING
    share = f" (+{units.percent(step.factor - 1)})" if step.factor else ""
    return f"+{shown(step.cost_more, by.cost)}{share}"


def _gained(step: Step, by: Terms) -> str:
    return units.MISSING if step.gain_more is None else f"+{shown(step.gain_more, by.gain)}"


def _apart(step: Step) -> str:
    return units.MISSING if step.sure is None else "yes" if step.sure else "no"


def ladder_grid(rungs: Sequence[Rung]) -> Grid:
    rows = tuple(
        (
            _span(*(METRICS["macs"].write(macs).rstrip("0").rstrip(".") for macs in (rung.least, rung.most))),
            _span(*map(units.count, rung.among)),
            full_name(rung.row),
            written(rung.row, "latency_ms"),
            width(rung.row),
            some(rung.ties) if rung.ties else "none" if rung.row["half_width"] is not None else "not known",
        )
        for rung in rungs
    )
    headings = ("MACs (G) up to", "variants", "fastest", METRICS["latency_ms"].title, "± 95 %", "cannot be told from")
    said = "the table below finds it for any other number: set a limit, it names the fastest that is left"
    return Grid("Fastest within a budget of MACs", said, headings, (True, True, False, True, True, False), rows)


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def verdict_grid(table: Table) -> Grid:
    columns = [column for column in table.columns if any(row.get(column.name) is not None for row in table.rows)]
    return Grid(
        "New against base",
        "; ".join(table.caption),
        tuple(column.label for column in columns),
        tuple(column.numeric for column in columns),
        tuple(tuple(column.text(row) for column in columns) for row in table.rows),
    )
