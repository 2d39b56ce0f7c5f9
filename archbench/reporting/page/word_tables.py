"""The small tables of a design review, of words alone: new against base, the fastest within a limit, what each step up costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archbench import units
from archbench.comparison.budgets import STANDING, Excess, budget_table
from archbench.metrics import METRICS
from archbench.reporting.page.decision import FrontStep, Rung, Terms
from archbench.tables.table import Column, Row, Table
from archbench.text import visible

NAMED = 4  # variants a cell spells out before it counts the rest
LONGEST = 1000
SHORT = 24  # characters that stand on one line
MOST_NAMED = 12  # variants of one standing, before the rest are counted
MOST_EXCESSES = 40  # on a page; the table of all has every row's standing


@dataclass(frozen=True)
class WordTable:
    """A small table of words: headings, which of them stand over numbers, rows of cells. Nothing in it is escaped.

    `hint` says what a page can do, and paper cannot.
    """

    title: str
    note: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    hint: str = ""

    @property
    def short(self) -> tuple[bool, ...]:
        """For each column whether all its cells are a word or two."""
        return tuple(all(len(cell) <= SHORT for cell in cells) for cells in zip(*self.rows, strict=True))


def build_verdict_table(table: Table | None) -> WordTable | None:
    """A comparison's verdicts; null where nothing was compared."""
    if table is None:
        return None
    columns = [column for column in table.columns if any(row.get(column.name) is not None for row in table.rows)]
    return _cut_table("New against base", "; ".join(table.caption), columns, table.rows)


def _cut_table(title: str, said: str, columns: Sequence[Column], rows: Sequence[Row]) -> WordTable:
    cells = tuple(tuple(column.format_cell(row) for column in columns) for row in rows)
    labels, numeric = tuple(column.label for column in columns), tuple(column.is_numeric for column in columns)
    return WordTable(title, said, labels, numeric, cells)


def build_standing_table(rows: Sequence[Row]) -> WordTable | None:
    """The variants that keep all budgets, are over one, or cannot be told; null where there are no budgets."""
    names: dict[str, list[Row]] = {}
    for row in rows:
        if row.get(STANDING.name) is not None:
            names.setdefault(row[STANDING.name], []).append(row)
    if not names:
        return None
    cells = tuple(
        (word, units.format_count(len(names[word])), name_some(names[word], most=MOST_NAMED))
        for word in sorted(names, reverse=True)  # within, over, cannot be told
    )
    said = (
        "within: all budgets are kept, a time by the whole of its interval; the table of all variants says it of each"
    )
    return WordTable("Within the budgets", said, ("budgets", "variants", "which"), (False, True, False), cells)


def name_some(rows: Sequence[Row], most: int = NAMED) -> str:
    """The first names, which have commas of their own, and how many there are beside."""
    more = f" and {len(rows) - most:,} more" if len(rows) > most else ""
    return "; ".join(full_name(row) for row in rows[:most]) + more


def full_name(row: Row) -> str:
    """A variant's name, and the number of the replica where it is measured several times."""
    replica = f" (replica {row['replica']})" if row.get("replica") else ""
    return visible(row["name"], LONGEST) + replica


def build_ladder_table(rungs: Sequence[Rung]) -> WordTable | None:
    """The fastest variant within each limit on MACs; null where there are no limits."""
    if not rungs:
        return None
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
    return WordTable(
        "Fastest within a limit on MACs",
        "variants: how many the limit leaves to choose from",
        ("at most MACs (G)", "variants", "fastest", METRICS["latency_ms"].title, "±95%", "cannot be told from"),
        (True, True, False, True, True, False),
        rows,
        "for another limit set it above the table of all variants, which then names the fastest that is left",
    )


def _format_range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def format_value(row: Row, metric: str) -> str:
    return units.MISSING if row[metric] is None else METRICS[metric].format(row[metric])


def format_row_half_width(row: Row) -> str:
    return units.MISSING if row["half_width"] is None else units.format_half_width(row["half_width"])


def _name_ties(rung: Rung) -> str:
    """The variants that the fastest cannot be told from, and how many it was not compared with."""
    peers = rung.peers
    missing = sum(peers.missing.values())
    if rung.row["half_width"] is None or (missing and not peers.ties and not peers.apart):
        return "not known"
    more = f"; {missing:,} not compared" if missing else ""
    return (name_some(peers.ties) if peers.ties else "none") + more


def build_step_table(steps: Sequence[FrontStep], of: int, by: Terms) -> WordTable | None:
    """The cost and the gain of each step up along the line, which has `of` variants; null where there is no line."""
    if not steps:
        return None
    measured = by.cost == "latency_ms"
    columns = {
        "variant": [full_name(step.row) for step in steps],
        METRICS[by.cost].title: [format_value(step.row, by.cost) for step in steps],
    }
    if measured:
        columns["±95%"] = [format_row_half_width(step.row) for step in steps]
    for name in dict.fromkeys((by.gain, "macs", "params", "peak_bytes")):
        if name != by.cost:
            columns[METRICS[name].title] = [format_value(step.row, name) for step in steps]
    ratios = [step.row["ratio"] for step in steps]
    columns["to the reference"] = [units.MISSING if ratio is None else units.format_ratio(ratio) for ratio in ratios]
    columns["costs more"] = [_format_cost_more(step, by) for step in steps]
    columns["gives more"] = [_format_gain_more(step, by) for step in steps]
    said = _describe_steps(len(steps), of)
    if measured:
        columns["told apart"] = [_format_certainty(step) for step in steps]
        said += "; told apart: whether the interval of the two's ratio leaves out 1"
    numeric = (False, *(True,) * (len(columns) - 1))
    return WordTable(
        "What each step up costs", said, tuple(columns), numeric, tuple(zip(*columns.values(), strict=True))
    )


def _format_cost_more(step: FrontStep, by: Terms) -> str:
    """The added cost: of a latency its share by the fit, which is what is told apart; else the amount and its share."""
    if step.cost_more is None:
        return units.MISSING
    share = f"{'+' if step.factor >= 1 else ''}{units.format_percent(step.factor - 1)}" if step.factor else ""
    if by.cost == "latency_ms" and share:
        return share
    return f"+{format_metric(step.cost_more, by.cost)}" + (f" ({share})" if share else "")


def _format_gain_more(step: FrontStep, by: Terms) -> str:
    return units.MISSING if step.gain_more is None else f"+{format_metric(step.gain_more, by.gain)}"


def format_metric(value: float, metric: str) -> str:
    """A number of a metric as its column writes it, with the unit its label has."""
    quantity, _, unit = METRICS[metric].label.rpartition(" ")
    return METRICS[metric].format(value) + (f" {unit}" if quantity else "")


def _format_certainty(step: FrontStep) -> str:
    return units.MISSING if step.sure is None else "yes" if step.sure else "no"


def _describe_steps(shown: int, of: int) -> str:
    if shown == of:
        return "each row is the next step up from the one above it"
    return f"{shown} of the {of} on the line, evenly chosen: each row is against the one above it, steps between are left out"


def build_excess_table(excesses: Sequence[Excess]) -> WordTable | None:
    """Each excess with its budget and value, those over a budget first; null where there are none."""
    if not excesses:
        return None
    table = budget_table(excesses, {})
    left_out = len(table.rows) - MOST_EXCESSES
    said = "from and to: the 95 % interval; over: all of it is over the budget; cannot be told: the budget is inside it"
    said += f"; {left_out:,} more are not shown" if left_out > 0 else ""
    return _cut_table("Over a budget, or cannot be told", said, table.columns, table.rows[:MOST_EXCESSES])
