"""Every format that is text, by the name `--format` takes. A new one is a file with a `render` and a line here."""

from __future__ import annotations

from collections.abc import Callable

from archbench.reporting import csv_file, json_file, markdown

RENDERERS: dict[str, Callable[..., str]] = {
    "markdown": markdown.render,
    "csv": csv_file.render,
    "json": json_file.render,
}
