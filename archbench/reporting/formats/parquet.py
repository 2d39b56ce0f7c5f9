"""The table as Parquet, through DuckDB: base units, counts as 64-bit integers, missing as null, `kind` as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import duckdb

from archbench import units
from archbench.errors import SpecError
from archbench.tables.table import Column, Holds, Row, Table

TYPES: dict[Holds, str] = {"integer": "BIGINT", "number": "DOUBLE", "flag": "BOOLEAN", "text": "VARCHAR"}


def print_parquet(table: Table) -> None:
    """Write the file's bytes to stdout. Raises SpecError where that is a terminal, which does not take them."""
    if sys.stdout.isatty():
        raise SpecError("--format parquet writes bytes; send them to a file, `> table.parquet`")
    click.echo(render_parquet(table), nl=False)


def render_parquet(table: Table, **extra: object) -> bytes:
    """The file's bytes, the same for the same table: all columns, and title and caption as metadata.

    Text is not made inert: nothing that reads Parquet runs it. Half a surrogate pair, which UTF-8 has no bytes for, is
    written as its escape.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows, written = Path(folder, "rows.json"), Path(folder, "table.parquet")
        rows.write_text("".join(_format_line(table, row) for row in table.rows))
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            connection.execute(_copy_query(table, rows, written))
        return written.read_bytes()


def _format_line(table: Table, row: Row) -> str:
    """A row as a line of JSON, its columns by their number: their names are not to be trusted in a query."""
    values = {f"c{place}": _format_value(column, row) for place, column in enumerate(table.columns)}
    return json.dumps(values | {"kind": json.dumps(row["kind"])}, ensure_ascii=False) + "\n"


def _format_value(column: Column, row: Row) -> Any:
    value = row.get(column.name)
    if value is None or column.holds != "text":
        return value
    return _write_half_pairs(units.format_plain(value))


def _copy_query(table: Table, rows: Path, written: Path) -> str:
    types = {f"c{place}": TYPES[column.holds] for place, column in enumerate(table.columns)} | {"kind": "VARCHAR"}
    typed = ", ".join(f"{name}: '{kind}'" for name, kind in types.items())
    named = [f"c{place} AS {quote_name(column.name)}" for place, column in enumerate(table.columns)]
    metadata = json.dumps({"title": table.title, "caption": table.caption})
    return (
        f"COPY (SELECT {', '.join([*named, 'kind'])} FROM read_json({quote_text(str(rows))}, "
        f"format = 'newline_delimited', columns = {{{typed}}})) TO {quote_text(str(written))} "
        f"(FORMAT parquet, KV_METADATA {{archbench: {quote_text(metadata)}}})"
    )


def quote_name(name: str) -> str:
    """A column's name, untrusted, in a query of DuckDB's."""
    return _quote('"', name)


def quote_text(text: str) -> str:
    """An untrusted text as a literal in a query of DuckDB's."""
    return _quote("'", text)


def _quote(mark: str, text: str) -> str:
    return mark + _write_half_pairs(text).replace(mark, 2 * mark) + mark


def _write_half_pairs(text: str) -> str:
    """The text with the escape of each half of a surrogate pair, which UTF-8 has no bytes for."""
    return text.encode(errors="backslashreplace").decode()
