"""The table as CSV: a header of column names, base units, integers as integers, nothing where a number is missing."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from archbench import units
from archbench.tables.table import Row, Table
from archbench.text import visible

FORMULA = re.compile(r"[=+\-@\t\r]")  # what makes a spreadsheet run a cell
LONGEST = 1 << 20


def render_csv(table: Table, **extra: object) -> str:
    """All columns, then `kind` as JSON. A text that a spreadsheet would run begins with a quote; control characters
    are written as their escapes, so that a row is a line."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow([_format_csv_cell(column.name) for column in table.columns] + ["kind"])
    lines.writerows(
        [_format_csv_cell(row.get(column.name)) for column in table.columns] + [_kind(row)] for row in table.rows
    )
    return file.getvalue()


def _format_csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    text = visible(units.format_plain(value), LONGEST)
    return f"'{text}" if FORMULA.match(text) else text


def _kind(row: Row) -> str:
    return json.dumps(row["kind"])
