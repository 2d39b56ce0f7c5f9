"""The table as one JSON object: base units, integers as integers, missing as null."""

from __future__ import annotations

import json
from typing import Any

from archbench.tables.table import Table, table_as_json


def render_json(table: Table, **extra: Any) -> str:
    """One line; `variants` is the list of rows, `extra` stands beside it. ASCII, so no name can steer a terminal."""
    return json.dumps(table_as_json(table, **extra), allow_nan=False) + "\n"
