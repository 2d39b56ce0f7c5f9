"""The table on a terminal: as many columns as fit, the most telling first, and a line about those left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from archbench.design.document import visible
from archbench.reporting.records import UNFINISHED
from archbench.reporting.tables import MARKS, Column, Row, Table

MARK = 2
PADDING = 2  # between two columns: one of the cell's, one of the divider's
LONGEST_NAME = 48  # a longer one is folded, after a comma where it has one
MOST_ROWS = 500  # nobody reads more; the files have them all
LONGEST_LINE = 2000


def console() -> Console:
    """A terminal as wide as it says, plain where it is none; NO_COLOR is honoured by rich."""
    found = Console(highlight=False)
    found.on_broken_pipe = _raise  # type: ignore[method-assign]  # of its own it would end the process, as if variants failed
    return found


def _raise() -> NoReturn:
    raise


def show(table: Table, console: Console) -> None:
    """Print the table, what failed and why, the caption. Names are escaped: none can format or steer the terminal."""
    shown = table.rows[:MOST_ROWS]
    candidates = [column for column in table.columns if _tells(column, table.rows)]
    chosen = fitting(candidates, shown, console.width)
    console.print(_grid(table.title, chosen, shown))
    console.print()
    for line in _below(table, [column for column in candidates if column not in chosen]):
        console.print(Text(visible(line, LONGEST_LINE)), soft_wrap=not console.is_terminal)


def fitting(candidates: Sequence[Column], rows: Sequence[Row], width: int) -> list[Column]:
    """The columns that fit `width` characters, in the table's order: by priority, until the first that does not fit."""
    left = width - MARK
    chosen: list[Column] = []
    for column in sorted(candidates, key=lambda column: column.priority):
        left -= PADDING + _width(column, rows)
        if left < 0 and chosen:
            break
        chosen.append(column)
    return [column for column in candidates if column in chosen]


def _tells(column: Column, rows: Sequence[Row]) -> bool:
    """Whether a column has something to tell here that stands nowhere else."""
    if column.name in MARKS or column.name == "reason" or column.detail:
        return False
    if column.holds == "flag":
        return any(row.get(column.name) for row in rows)
    if column.name == "status":
        return any(row["status"] in UNFINISHED for row in rows)
    return any(row.get(column.name) is not None for row in rows)


def _width(column: Column, rows: Iterable[Row]) -> int:
    widest = max((cell_len(_cell(column, row)) for row in rows), default=0)
    heading = max(cell_len(line) for line in _heading(column).split("\n"))
    return max(heading, min(widest, LONGEST_NAME) if column.name == "name" else widest)


def _heading(column: Column) -> str:
    """A label on two lines: the quantity over its unit, a part over its knob."""
    label = visible(column.label)
    return label.replace(".", ".\n", 1) if "." in label else "\n".join(label.split(" ", 1))


def _cell(column: Column, row: Row) -> str:
    return visible(column.text(row), LONGEST_LINE)


def _grid(title: str, columns: Sequence[Column], rows: Iterable[Row]) -> Grid:
    grid = Grid(
        title=Text(visible(title)) if title else None,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, PADDING - 1, 0, 0),
        pad_edge=False,
    )
    grid.add_column("", width=MARK, no_wrap=True)
    for column in columns:
        grid.add_column(
            Text(_heading(column)),
            justify="right" if column.numeric else "left",
            vertical="top",
            overflow="fold",
            no_wrap=column.name != "name",
            max_width=LONGEST_NAME if column.name == "name" else None,
        )
    for row in rows:
        style = "bold" if row["pareto"] else "dim" if row["status"] == "failed" else ""
        grid.add_row(_mark(row), *(Text(_folded(_cell(column, row), column)) for column in columns), style=style)
    return grid


def _folded(text: str, column: Column) -> str:
    """A name on as many lines as it takes, `axis=value` after `axis=value`; other cells as they are."""
    if column.name != "name":
        return text
    lines = [""]
    for part in re.findall("[^,]*,|[^,]+", text):
        if lines[-1] and cell_len(lines[-1] + part) > LONGEST_NAME:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _mark(row: Row) -> str:
    return ("*" if row["pareto"] else " ") + ("R" if row["reference"] else "")


def _below(table: Table, left_out: Sequence[Column]) -> Iterable[str]:
    for row in table.rows:
        if row["reason"]:
            yield f"{visible(row['name'])}: {row['status']}: {row['reason']}"
    if len(table.rows) > MOST_ROWS:
        yield f"the first {MOST_ROWS} of {len(table.rows):,} rows; --format csv has all"
    yield from table.caption
    if left_out:
        yield f"left out for want of width: {', '.join(column.label for column in left_out)}; --format csv has all"
