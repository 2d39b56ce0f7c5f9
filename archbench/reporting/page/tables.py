"""The small tables of a design review: what each step up costs, who is fastest within a limit, new against base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archbench import units
from archbench.comparison.budgets import STANDING, Excess, budget_table
from archbench.metrics import METRICS
from archbench.reporting.page.charts import format_metric
from archbench.reporting.page.decision import FrontStep, Rung, Terms
from archbench.reporting.page.wording import format_row_half_width, format_value, full_name, name_some
from archbench.tables.table import Row, Table

SHORT = 24  # characters that stand on one line
MOST_NAMED = 12  # variants of one standing, before the rest are counted
MOST_EXCESSES = 40  # on a page; the table of all has every row's standing


@dataclass(frozen=True)
class WordTable:
    """A small table of words: headings, which of them stand over numbers, rows of cells. Not escaped.

    `hint` is of what a page can do, and paper cannot.
    """

    title: str
    said: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    hint: str = ""

    @property
    def short(self) -> tuple[bool, ...]:
        """Of each column whether all its cells are a word or two."""
        return tuple(all(len(cell) <= SHORT for cell in cells) for cells in zip(*self.rows, strict=True))


def build_step_table(found: Sequence[FrontStep], of: int, by: Terms) -> WordTable:
    beside = [name for name in ("macs", "params", "peak_bytes") if name not in (by.cost, by.gain)]
    measured = by.cost == "latency_ms"
    headings = [
        *("variant", METRICS[by.cost].title, *(["±95%"] if measured else []), METRICS[by.gain].title),
        *(METRICS[name].title for name in beside),
        *("to the reference", "costs more", "gives more", *(["told apart"] if measured else [])),
    ]
    rows = tuple(
        (
            *(
                full_name(step.row),
                format_value(step.row, by.cost),
                *([format_row_half_width(step.row)] if measured else []),
            ),
            *(format_value(step.row, name) for name in (by.gain, *beside)),
            units.MISSING if step.row["ratio"] is None else units.format_ratio(step.row["ratio"]),
            *(
                _format_cost_more(step, by),
                _format_gain_more(step, by),
                *([_format_certainty(step)] if measured else []),
            ),
        )
        for step in found
    )
    told = "; told apart: whether the interval of the two's ratio leaves out 1" if measured else ""
    said = f"{_describe_steps(len(found), of)}{told}"
    return WordTable("What each step up costs", said, tuple(headings), (False, *(True,) * (len(headings) - 1)), rows)


def _describe_steps(shown: int, of: int) -> str:
    if shown == of:
        return "each row is the next step up from the one above it"
    return f"{shown} of the {of} on the line, evenly chosen: each row is against the one above it, steps between are left out"


def _format_cost_more(step: FrontStep, by: Terms) -> str:
    """A share by the fit of a latency, which is what is told apart; else how much, and what share."""
    if step.cost_more is None:
        return units.MISSING
    share = f"{'+' if step.factor >= 1 else ''}{units.format_percent(step.factor - 1)}" if step.factor else ""
    if by.cost == "latency_ms" and share:
        return share
    return f"+{format_metric(step.cost_more, by.cost)}" + (f" ({share})" if share else "")


def _format_gain_more(step: FrontStep, by: Terms) -> str:
    return units.MISSING if step.gain_more is None else f"+{format_metric(step.gain_more, by.gain)}"


def _format_certainty(step: FrontStep) -> str:
    return units.MISSING if step.sure is None else "yes" if step.sure else "no"


def build_ladder_table(rungs: Sequence[Rung]) -> WordTable:
    rows = tuple(
        (
            _format_range(*(METRICS["macs"].format(macs).rstrip("0").rstrip(".") for macs in (rung.least, rung.most))),
            _format_range(*map(units.format_count, rung.among)),
            full_name(rung.row),
            format_value(rung.row, "latency_ms"),
            format_row_half_width(rung.row),
            _name_ties(rung),
        )
        for rung in rungs
    )
    headings = ("at most MACs (G)", "variants", "fastest", METRICS["latency_ms"].title, "±95%", "cannot be told from")
    said = "variants: how many the limit leaves to choose from"
    hint = "for another limit set it above the table of all variants, which then names the fastest that is left"
    return WordTable(
        "Fastest within a limit on MACs", said, headings, (True, True, False, True, True, False), rows, hint
    )


def _name_ties(rung: Rung) -> str:
    """Whom the fastest cannot be told from, and how many it was not compared with."""
    peers = rung.peers
    missing = sum(peers.untold.values())
    if rung.row["half_width"] is None or (missing and not peers.ties and not peers.told):
        return "not known"
    more = f"; {missing:,} not compared" if missing else ""
    return (name_some(peers.ties) if peers.ties else "none") + more


def _format_range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def build_verdict_table(table: Table) -> WordTable:
    columns = [column for column in table.columns if any(row.get(column.name) is not None for row in table.rows)]
    return WordTable(
        "New against base",
        "; ".join(table.caption),
        tuple(column.label for column in columns),
        tuple(column.numeric for column in columns),
        tuple(tuple(column.format_cell(row) for column in columns) for row in table.rows),
    )


def build_standing_table(rows: Sequence[Row]) -> WordTable | None:
    """Who keeps all budgets, who is over one, of whom it cannot be told; null where there are none."""
    held = [row for row in rows if row.get(STANDING.name) is not None]
    names: dict[str, list[Row]] = {}
    for row in held:
        names.setdefault(row[STANDING.name], []).append(row)
    if not names:
        return None
    order = sorted(names, reverse=True)  # within, over, cannot be told
    cells = tuple(
        (word, units.format_count(len(names[word])), name_some(names[word], most=MOST_NAMED)) for word in order
    )
    said = (
        "within: all budgets are kept, a time by the whole of its interval; the table of all variants says it of each"
    )
    return WordTable("Within the budgets", said, ("budgets", "variants", "which"), (False, True, False), cells)


def build_excess_table(excesses: Sequence[Excess]) -> WordTable | None:
    """Each excess with its budget and value, what is over first; null where there are none."""
    if not excesses:
        return None
    table = budget_table(excesses, {})
    left_out = len(table.rows) - MOST_EXCESSES
    cells = tuple(tuple(column.format_cell(row) for column in table.columns) for row in table.rows[:MOST_EXCESSES])
    more = f"; {left_out:,} more are not shown" if left_out > 0 else ""
    said = (
        "from and to: the 95 % interval; over: all of it is over the budget; cannot be told: the budget is inside it"
        + more
    )
    headings, numeric = zip(*((column.label, column.numeric) for column in table.columns), strict=True)
    return WordTable("Over a budget, or cannot be told", said, headings, numeric, cells)
