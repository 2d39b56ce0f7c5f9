"""Every format by the name `--format` takes: of a table, text or bytes. A new one is a file with a `render` and a line here.

html is not among them: a page is of a whole run (`page.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from archbench.reporting import csv_file, json_file, latex, markdown, parquet_file

RENDERERS: dict[str, Callable[..., str | bytes]] = {
    "markdown": markdown.render,
    "csv": csv_file.render,
    "json": json_file.render,
    "latex": latex.render,
    "parquet": parquet_file.render,
}
