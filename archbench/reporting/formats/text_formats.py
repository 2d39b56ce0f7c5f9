"""A table in every format that is text. A new format is a `render_` function and a line in RENDERERS.

csv, json and latex are here; markdown and the terminal have a file each. Parquet is bytes and waits for DuckDB, a page is of a
whole run: neither is among them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from archbench import units
from archbench.reporting.formats.markdown import render_markdown
from archbench.reporting.formats.terminal import open_console, print_table
from archbench.tables.table import MAIN, MARKS, Column, Table, has_content, table_as_json
from archbench.text import visible

LONGEST_CELL = 1 << 20  # of a CSV
LONGEST = 10_000
FORMULA = re.compile(r"[=+\-@\t\r]")  # what makes a spreadsheet run a cell
SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",  # two of them are a quote of another shape
    '"': r"\symbol{34}",  # babel makes it a command in some languages
    "[": "{[}",  # after the end of a row it would be read as a length
    "]": "{]}",
    "*": "{*}",  # after the end of a row it would forbid a page to end there
    "-": "{-}",  # two of them are a dash
    "±": r"$\pm$",
}
ANY = re.compile("|".join(map(re.escape, SPECIAL)))


def print_in_format(table: Table, form: str, **extra: Any) -> None:
    """Print a table in the format asked for; `extra` goes into the JSON object beside its variants."""
    if form == "terminal":
        print_table(table, open_console())
    else:
        click.echo(RENDERERS[form](table, **extra), nl=False)


def render_csv(table: Table, **extra: object) -> str:
    """A header of column names, then all columns in base units, `kind` as JSON at the end; nothing where a number is missing.

    A text that a spreadsheet would run begins with a quote; control characters are written as their escapes, so that a row
    is a line.
    """
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow([_format_csv_cell(column.name) for column in table.columns] + ["kind"])
    for row in table.rows:
        cells = [_format_csv_cell(row.get(column.name)) for column in table.columns]
        lines.writerow([*cells, json.dumps(row["kind"])])
    return file.getvalue()


def _format_csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    text = visible(units.format_plain(value), LONGEST_CELL)
    return f"'{text}" if FORMULA.match(text) else text


def render_json(table: Table, **extra: Any) -> str:
    """One object on one line: `variants` is the list of rows, `extra` stands beside it. In ASCII no name can steer a terminal."""
    return json.dumps(table_as_json(table, **extra), allow_nan=False) + "\n"


def render_latex(table: Table, **extra: object) -> str:
    """A tabular of the columns that decide and have anything to say, its caption as comments to write one from.

    It needs `booktabs` and `textcomp`, which LaTeX has built in.
    """
    columns = [c for c in table.columns if _is_on_paper(c) and has_content(c, table.rows)]
    lines = [
        *(f"% {visible(line, LONGEST)}" for line in (table.title, *table.caption) if line),
        r"\begin{tabular}{" + "".join("r" if column.is_numeric else "l" for column in columns) + "}",
        r"\toprule",
        _format_latex_row(column.label for column in columns),
        r"\midrule",
        *(_format_latex_row(column.format_cell(row) for column in columns) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _is_on_paper(column: Column) -> bool:
    return column.priority <= MAIN or column.name in (*MARKS, "reason")


def _format_latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(escape_latex, cells)) + r" \\"


def escape_latex(text: str) -> str:
    """Untrusted text as itself: no command, no comment, no end of a cell or a row."""
    return ANY.sub(lambda found: SPECIAL[found[0]], visible(text, LONGEST))


RENDERERS: dict[str, Callable[..., str]] = {
    "markdown": render_markdown,
    "csv": render_csv,
    "json": render_json,
    "latex": render_latex,
}
