"""A review as one HTML file that needs nothing else: no network, no script to be read or printed, none but our own to sort.

Everything untrusted is escaped by jinja2 (autoescape) and shown with what cannot be seen written out (`visible`). Data for
the script are in an `application/json` element with `<` escaped; the content security policy allows our script and our
style by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from archbench import units
from archbench.metrics import METRICS
from archbench.reporting.page.answers import describe_latency
from archbench.reporting.page.charts import Chart
from archbench.reporting.page.decision import list_speeds, row_key
from archbench.reporting.page.drawing import DARK, LIGHT, render_inline
from archbench.reporting.page.review import Review
from archbench.reporting.page.word_tables import full_name
from archbench.runs.records import UNFINISHED
from archbench.statistics.summary import NO_INTERVAL, NO_SESSION, Ties
from archbench.tables.table import MAIN, MARKS, Column, Row, choose_telling, deciding_rows, has_content
from archbench.text import visible

MOST_ROWS = 1000  # of the table on a page
MOST_MAIN = 14  # of them all, at the width of a page
LONGEST = 10_000


def render_html(review: Review) -> str:
    """The page of a review; the same review is the same bytes."""
    style, script = _page_style(), _read_source("report.js")
    rows = choose_telling(review.table.rows, MOST_ROWS)
    columns = [column for column in review.table.columns if has_content(column, review.table.rows)]
    cells = [(_row_classes(row), [visible(column.format_cell(row), LONGEST) for column in columns]) for row in rows]
    template = _jinja_environment().get_template("report.html")
    return template.render(
        review=review,
        charts=[(chart, _draw_inline(chart)) for chart in review.charts],
        columns=columns,
        main=_choose_main_columns(columns, rows),
        rows=cells,
        legend=_describe_marks(rows),
        limits=_limit_columns(columns),
        left_out=len(review.table.rows) - len(rows),
        data=Markup(embed_json(_page_data(columns, rows, review.ties))),
        style=Markup(style),
        script=Markup(script),
        policy=_security_policy(style, script),
    )


def _draw_inline(chart: Chart) -> Markup:
    return Markup(render_inline(chart.spec, describe_chart(chart)) if chart.spec else "")


def describe_chart(chart: Chart) -> str:
    """A chart in words, for whoever does not see it, and the place of its numbers."""
    said = f" {chart.note[0].upper()}{chart.note[1:]}." if chart.note else ""
    return f"{chart.title}.{said} The numbers are in the table of all variants."


def _choose_main_columns(columns: Sequence[Column], rows: Sequence[Row]) -> set[str]:
    """The columns that are shown before a reader asks for all: the marks, and of the others no more than fit."""
    found = sorted((column for column in columns if _is_main(column, rows)), key=lambda column: column.priority)
    return {column.name for column in found[:MOST_MAIN]} | {column.name for column in columns if column.name in MARKS}


def _is_main(column: Column, rows: Sequence[Row]) -> bool:
    """Whether a column may be shown at once: one that decides, and an axis that the names do not tell anyway."""
    if column.axis:
        return not all(column.format_cell(row) in row["name"] for row in rows)
    if column.name == "status":  # which nobody reads where all went well
        return any(row["status"] in UNFINISHED for row in rows)
    return column.priority <= MAIN


def _describe_marks(rows: Sequence[Row]) -> str:
    """A legend of the marks that rows of the table have."""
    words = {
        "front": "bold: on the Pareto front",
        "reference": "a bar before the name: the reference",
        "base": "italic: a base, for comparison",
        "failed": "grey: failed",
    }
    known = {mark for row in rows for mark in _row_classes(row).split()}
    return "; ".join(said for mark, said in words.items() if mark in known)


def _row_classes(row: Row) -> str:
    """The classes of a row of the table."""
    marks = {
        "reference": row["reference"],
        "front": row["pareto"],
        "base": row.get("side") == "base",
        "failed": row["status"] == "failed",
    }
    return " ".join(name for name, known in marks.items() if known)


def break_after_commas(text: str) -> Markup:
    """Untrusted text, escaped, that a line may end in after each comma."""
    return Markup(",<wbr>").join(visible(text, LONGEST).split(","))


def embed_json(data: Any) -> str:
    """JSON that ends no element and opens no comment, whatever is in it."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")


def _page_data(columns: Sequence[Column], rows: Sequence[Row], ties: Ties) -> dict[str, Any]:
    """The data that the script sorts, limits and names the fastest by: raw values, ties, and groups that were compared.

    `order`: places of rows by speed. `ties`: of each row runs in it, the first of a run, the first after it, the next
    run's first, ...: of many rows that cannot be told apart the pairs would be longer than all else.
    """
    speed = _new_speeds(rows)
    order = sorted(range(len(rows)), key=lambda place: math.inf if (own := speed[place]) is None else own)
    return {
        "scales": [_column_scale(column) for column in columns],
        "rows": [[_raw_value(row.get(column.name)) for column in columns] for row in rows],
        "names": [full_name(row) for row in rows],
        "latency": [describe_latency(row) if row.get("latency_ms") is not None else "" for row in rows],
        "speed": speed,
        "order": order,
        "ties": [
            _find_turns([row_key(rows[place]) in own for place in order])
            for own in map(ties.ties_of, map(row_key, rows))
        ],
        "groups": [ties.components.get(row_key(row)) for row in rows],
        "reasons": [NO_INTERVAL, NO_SESSION],
    }


def _new_speeds(rows: Sequence[Row]) -> list[float | None]:
    """The speed of each row; null for a base, since the fastest is among the new networks."""
    own = deciding_rows(rows)
    speeds = {id(row): speed for row, speed in zip(own, list_speeds(own), strict=True)}
    return [speeds.get(id(row)) for row in rows]


def _find_turns(flags: Sequence[bool]) -> list[int]:
    """The places at which flags turn true, and false again, in turn."""
    return [place for place, (before, now) in enumerate(pairwise([False, *flags, False])) if before != now]


def _raw_value(value: Any) -> Any:
    return (
        value if value is None or isinstance(value, bool | int | float) else visible(units.format_plain(value), LONGEST)
    )


def _limit_columns(columns: Sequence[Column]) -> list[tuple[int, Column]]:
    """The columns that a limit can be set for, by their place: numbers that are typed as they are written."""
    numbers = ((place, column) for place, column in enumerate(columns) if column.is_numeric)
    return [(place, column) for place, column in numbers if not _metric_name(column).endswith("half_width")]


def _metric_name(column: Column) -> str:
    """The metric of a column, on whichever device."""
    return column.name.partition("@")[0]


def _column_scale(column: Column) -> float:
    name = _metric_name(column)
    return METRICS[name].scale if name in METRICS else 1


def _page_style() -> str:
    light, dark = (";".join(f"--{name}:{color}" for name, color in theme.items()) for theme in (LIGHT, DARK))
    themes = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return themes + "\n" + _read_source("report.css")


def _security_policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash_source(style)}'; script-src '{_hash_source(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash_source(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _jinja_environment() -> Environment:
    loader = PackageLoader("archbench.reporting.page")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["visible"] = partial(visible, limit=LONGEST)
    environment.filters["breakable"] = break_after_commas
    return environment


def _read_source(name: str) -> str:
    loader = _jinja_environment().loader
    assert loader is not None
    return loader.get_source(_jinja_environment(), name)[0]
