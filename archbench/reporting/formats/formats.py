"""A table on stdout, in any format that is text. A new one is a file with a `render` and a line here.

Parquet is bytes and waits for DuckDB (`parquet_file.py`), a page is of a whole run (`page.py`): neither is among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from archbench.reporting.formats import csv_file, json_file, latex, markdown, terminal
from archbench.tables.table import Table

RENDERERS: dict[str, Callable[..., str]] = {
    "markdown": markdown.render_markdown,
    "csv": csv_file.render_csv,
    "json": json_file.render_json,
    "latex": latex.render_latex,
}


def print_in_format(table: Table, form: str, **extra: Any) -> None:
    """Print a table in the format asked for; `extra` goes into the JSON object beside its variants."""
    if form == "terminal":
        terminal.print_table(table, terminal.open_console())
    else:
        click.echo(RENDERERS[form](table, **extra), nl=False)
