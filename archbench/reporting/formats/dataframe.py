"""The table as a pandas DataFrame."""

from __future__ import annotations

import pandas as pd

from archbench.tables.table import Column, Holds, Table

DTYPES: dict[Holds, str] = {"integer": "Int64", "number": "Float64", "flag": "boolean", "text": "object"}


def build_frame(table: Table) -> pd.DataFrame:
    """One row a variant, base units. Counts stay integers (Int64) where some are missing, which is `pd.NA`.

    `frame.attrs` holds `title`, `caption` and `kind`, the kind of each column's numbers where they share one.
    """
    columns = {column.name: _build_series(column, table) for column in table.columns}
    found = pd.DataFrame(columns, index=pd.RangeIndex(len(table.rows)))
    kinds = {column.name: column.kind for column in table.columns if column.kind}
    found.attrs = {"title": table.title, "caption": list(table.caption), "kind": kinds}
    return found


def _build_series(column: Column, table: Table) -> pd.Series:
    return pd.Series([row.get(column.name) for row in table.rows], dtype=DTYPES[column.holds])
