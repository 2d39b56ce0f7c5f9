"""The table on a terminal: as many columns as fit, the most telling first, and a line about those left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from archbench.runs.records import UNFINISHED
from archbench.tables.table import MARKS, Column, Row, Table
from archbench.text import visible

MARK = 2
PADDING = 2  # between two columns: one of the cell's, one of the divider's
LONGEST_NAME = 48  # a longer one is folded, after a comma where it has one
SHORTEST_NAME = 16  # nor is it folded to less, however many columns want its room
FIRST = 1  # the priority up to which columns are worth folding names for: the latency, of each run
SURE = 2  # and up to which they are worth runs being called by numbers: its interval, too
MOST_ROWS = 500  # nobody reads more; the files have them all
LONGEST_LINE = 2000


def open_console() -> Console:
    """The console of stdout, as wide as the terminal says, plain where there is none; rich honours NO_COLOR."""
    found = Console(highlight=False)
    found.on_broken_pipe = _raise_again  # type: ignore[method-assign]  # of its own it would end the process, as if variants failed
    return found


def _raise_again() -> NoReturn:
    raise


def print_table(table: Table, console: Console) -> None:
    """Print the table, what failed and why, the caption. Names are escaped: none can format or steer the terminal."""
    rows = table.rows[:MOST_ROWS]
    named = [column for column in table.columns if _tells_something(column, table.rows)]
    candidates = number_runs(named, rows, console.width)
    chosen = choose_columns(candidates, rows, console.width)
    console.print(_build_grid(table.title, chosen, rows, _name_room(candidates, rows, console.width)))
    console.print()
    for line in (*_explain_numbers(named, candidates), *_list_lines_below(table, _list_left_out(candidates, chosen))):
        console.print(Text(visible(line, LONGEST_LINE)), soft_wrap=not console.is_terminal)


def choose_columns(candidates: Sequence[Column], rows: Sequence[Row], width: int) -> list[Column]:
    """The columns that fit `width` characters, in the table's order: by priority, until the first that does not fit."""
    left, longest = width - MARK, _name_room(candidates, rows, width)
    chosen: list[Column] = []
    for column in sorted(candidates, key=lambda column: column.priority):
        left -= PADDING + min(_column_width(column, rows), longest if column.name == "name" else width)
        if left < 0 and chosen:
            break
        chosen.append(column)
    return [column for column in candidates if column in chosen]


def number_runs(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Column]:
    """The columns of several runs under `#1`, `#2`, ... where not every latency and its interval fit under a name."""
    wanted = [column for column in columns if column.run and column.priority <= SURE]
    fit = choose_columns(columns, rows, width)
    if all(column in fit for column in wanted):
        return list(columns)
    number = {run: f"#{place}" for place, run in enumerate(_list_run_names(columns), 1)}
    return [
        replace(c, label=f"{_label_without_run(c)} {number[c.run]}", run=number[c.run]) if c.run else c for c in columns
    ]


def _explain_numbers(named: Sequence[Column], candidates: Sequence[Column]) -> list[str]:
    """The run that each number is, where numbers stand for runs."""
    pairs = zip(_list_run_names(candidates), _list_run_names(named), strict=True)
    numbers = [f"{number} is {run}" for number, run in pairs if number != run]
    return [", ".join(numbers)] if numbers else []


def _list_run_names(columns: Iterable[Column]) -> list[str]:
    return list(dict.fromkeys(column.run for column in columns if column.run))


def _label_without_run(column: Column) -> str:
    """A column's label without the run it is of."""
    return column.label.removesuffix(column.run).rstrip(", ") if column.run else column.label


def _list_left_out(candidates: Sequence[Column], chosen: Sequence[Column]) -> Iterator[str]:
    """The labels of the columns that did not fit; of columns that every run has, the label without the run."""
    left = [column for column in candidates if column not in chosen]
    for label in dict.fromkeys(map(_label_without_run, left)):
        own = [column for column in left if _label_without_run(column) == label]
        every = all(column in own for column in candidates if _label_without_run(column) == label)
        yield label if every else " and ".join([own[0].label, *(column.run for column in own[1:])])


def _name_room(columns: Iterable[Column], rows: Sequence[Row], width: int) -> int:
    """The characters of a name on one line: as many as the first columns leave, within reason."""
    first = [column for column in columns if column.priority <= FIRST and column.name != "name"]
    left = width - MARK - PADDING - sum(PADDING + _column_width(column, rows) for column in first)
    return max(SHORTEST_NAME, min(LONGEST_NAME, left))


def _tells_something(column: Column, rows: Sequence[Row]) -> bool:
    """Whether a column has something to tell here that stands nowhere else."""
    if column.name in MARKS or column.name == "reason" or column.detail:
        return False
    if column.holds == "flag":
        return any(row.get(column.name) for row in rows)
    if column.name == "status":
        return any(row["status"] in UNFINISHED for row in rows)
    return any(row.get(column.name) is not None for row in rows)


def _column_width(column: Column, rows: Iterable[Row]) -> int:
    widest = max((cell_len(_format_cell(column, row)) for row in rows), default=0)
    heading = max(cell_len(line) for line in _format_heading(column).split("\n"))
    return max(heading, widest)


def _format_heading(column: Column) -> str:
    """A label on two lines: the quantity over its unit, a part over its knob."""
    label = visible(column.label)
    return label.replace(".", ".\n", 1) if "." in label else "\n".join(label.split(" ", 1))


def _format_cell(column: Column, row: Row) -> str:
    return visible(column.format_cell(row), LONGEST_LINE)


def _build_grid(title: str, columns: Sequence[Column], rows: Iterable[Row], longest: int) -> Grid:
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
            Text(_format_heading(column)),
            justify="right" if column.is_numeric else "left",
            vertical="top",
            overflow="fold",
            no_wrap=column.name != "name",
            max_width=longest if column.name == "name" else None,
        )
    for row in rows:
        style = "bold" if row["pareto"] else "dim" if row["status"] == "failed" else ""
        grid.add_row(
            _format_mark(row),
            *(Text(_fold_name(_format_cell(column, row), column, longest)) for column in columns),
            style=style,
        )
    return grid


def _fold_name(text: str, column: Column, longest: int) -> str:
    """A name on as many lines as it takes, `axis=value` after `axis=value`; other cells as they are."""
    if column.name != "name":
        return text
    lines = [""]
    for part in re.findall("[^,]*,|[^,]+", text):
        if lines[-1] and cell_len(lines[-1] + part) > longest:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _format_mark(row: Row) -> str:
    return ("*" if row["pareto"] else " ") + ("R" if row["reference"] else "")


def _list_lines_below(table: Table, left_out: Iterable[str]) -> Iterable[str]:
    for row in table.rows:
        if row["reason"]:
            yield f"{visible(row['name'])}: {row['status']}: {row['reason']}"
    if len(table.rows) > MOST_ROWS:
        yield f"the first {MOST_ROWS} of {len(table.rows):,} rows; --format csv has all"
    yield from table.caption
    if said := ", ".join(left_out):
        yield f"left out for want of width: {said}; --format csv has all"
