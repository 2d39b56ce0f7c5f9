"""The page of several runs: the fastest on each device, latency against MACs by device, the table of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from archbench.comparison.of_run import JudgedRun
from archbench.reporting.page.answers import Facts, answer_fastest, warn_of_distrust
from archbench.reporting.page.charts import Chart, draw_scatter
from archbench.reporting.page.decision import find_line, find_rungs
from archbench.reporting.page.drawing import MUTED, SERIES
from archbench.reporting.page.review import Review, list_failures, list_run_facts
from archbench.reporting.page.word_tables import WordTable, build_ladder_table
from archbench.reporting.side_by_side import label_runs, tabulate_runs
from archbench.tables.run_table import find_run_ties
from archbench.tables.table import Column, Row, Table, deciding_rows

DEVICE = Column("device", "device", "text", 0, axis=True)
SCATTERS = (  # name, title, x, y, the gain of the line, the end of it that is better, the line in words
    ("latency", "Latency against MACs", "macs", "latency_ms", "macs", "max", "most MACs for least latency"),
    ("score", "Score against latency", "latency_ms", "score", "score", "max", "most score for least latency"),
    (
        "memory",
        "Memory against latency",
        *("latency_ms", "memory_bytes", "memory_bytes", "min", "nothing is less in both"),
    ),
)


def review_together(runs: Sequence[JudgedRun]) -> Review:
    """The review of several runs, as their page shows it."""
    named = dict(zip(label_runs(runs), runs, strict=True))
    table = tabulate_runs(runs)
    count = len({row["id"] for row in table.rows})
    answers: list[tuple[str, str]] = []
    ladders: list[WordTable] = []
    failures: list[tuple[str, str]] = []
    measured_on: list[tuple[str, Facts]] = []
    for label, run in named.items():
        rows, ties = deciding_rows(run.table.rows), find_run_ties(run.stored_run)
        answers += [(f"{title} on {label}", text) for title, text in answer_fastest(rows, ties)]
        if (ladder := build_ladder_table(find_rungs(rows, ties))) is not None:
            ladders.append(replace(ladder, title=f"{ladder.title}, {label}"))
        failures += [(name, f"{label}: {reason}") for name, reason in list_failures(run.table.rows)]
        begun, facts = list_run_facts(run)
        measured_on.append((f"{label}: {begun}", facts))
    return Review(
        title=table.title,
        question=f"What do {count:,} variants cost on {len(runs)} devices or in as many runs?",
        answers=(*answers, *warn_of_distrust(table.distrust)),
        word_tables=tuple(ladders),
        charts=tuple(_draw_charts({label: run.table for label, run in named.items()})),
        table=table,
        failures=tuple(failures),
        measured_on=tuple(measured_on),
        precision=tuple(line for line in table.caption if line not in table.distrust),
        distrust=table.distrust,
    )


def _draw_charts(tables: Mapping[str, Table]) -> Iterable[Chart]:
    """Charts of every run's rows, told apart by colour, a line and a reference a run; the first axis by shape."""
    rows = tuple(row | {DEVICE.name: label} for label, table in tables.items() for row in table.rows)
    columns = {column.name: column for table in tables.values() for column in table.columns}
    whole = Table("", (DEVICE, *columns.values()), rows, ())
    scored = any(row["score"] is not None for row in rows)
    for name, title, x, y, gain, side, line_is in SCATTERS:
        lines = [] if scored and gain == "macs" else _find_lines(tables.values(), gain, side)
        if (spec := draw_scatter(whole, x, y, lines=lines)) is not None:
            yield Chart(name, title, "; ".join(_describe_marks(rows, lines, line_is)), spec)


def _find_lines(tables: Iterable[Table], gain: str, side: str) -> list[tuple[str, list[Row]]]:
    """The line of each run's best, in the colour of its points where there are enough colours."""
    own = [find_line(deciding_rows(table.rows), "latency_ms", gain, gain_side=side) for table in tables]
    colors = SERIES if len(own) <= len(SERIES) else [MUTED] * len(own)
    return list(zip(colors, own, strict=False))


def _describe_marks(rows: Iterable[Row], lines: Iterable[tuple[str, Sequence[Row]]], line_is: str) -> Iterable[str]:
    """The meaning of a chart's marks, as far as there are any."""
    yield "bars are 95 % intervals" + (", a ring is a run's reference" if any(row["reference"] for row in rows) else "")
    if any(len(line) > 1 for _, line in lines):
        yield f"dashed: {line_is}, a line a run"
