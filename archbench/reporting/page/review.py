"""A design review: the question, what the table decides, its charts, and what to distrust. Everything that a page shows.

Made from a run's table, records and manifest alone, so that the same run is always the same page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from archbench import units
from archbench.comparison.of_run import JudgedRun
from archbench.reporting.page.answers import Facts, list_answers, metric_phrase, phrase_question
from archbench.reporting.page.charts import Chart, draw_scatter, is_drawn
from archbench.reporting.page.cost_breakdown import CostBreakdown, break_down_cost, draw_breakdowns
from archbench.reporting.page.decision import (
    FrontStep,
    Terms,
    choose_terms,
    find_front_steps,
    find_line,
    find_rungs,
    row_key,
    thin_line,
)
from archbench.reporting.page.effects import draw_effects, find_zips
from archbench.reporting.page.word_tables import (
    LONGEST,
    WordTable,
    build_excess_table,
    build_ladder_table,
    build_standing_table,
    build_step_table,
    build_verdict_table,
    full_name,
)
from archbench.runs.records import UNFINISHED, Record
from archbench.statistics.summary import Ties
from archbench.tables.run_table import find_run_ties
from archbench.tables.table import SIDE, Row, Table, deciding_rows
from archbench.text import visible


@dataclass(frozen=True)
class Review:
    """The content of a page, from top to bottom. Texts are not escaped."""

    title: str
    question: str
    answers: Facts
    word_tables: tuple[WordTable, ...]
    charts: tuple[Chart, ...]
    table: Table
    ties: Ties = field(default_factory=Ties)
    failures: Facts = ()
    measured_on: tuple[tuple[str, Facts], ...] = ()
    precision: tuple[str, ...] = ()
    distrust: tuple[str, ...] = ()


def build_review(run: JudgedRun) -> Review:
    """The review of one run. In a comparison what decides are the verdicts, then the new side's variants alone: the base's
    are drawn and listed beside them, on no line and no step."""
    table, excesses, ties = run.table, run.excesses, find_run_ties(run.stored_run)
    rows = deciding_rows(table.rows)
    by = choose_terms(rows)
    best = find_line(rows, by.cost, by.gain)
    steps, rungs = find_front_steps(thin_line(best), by, ties), find_rungs(rows, ties)
    word_tables = (
        build_verdict_table(run.verdict_table),
        build_standing_table(rows),
        build_ladder_table(rungs),
        build_step_table(steps, len(best), by),
        build_excess_table(excesses),
    )
    return Review(
        title=table.title,
        question=phrase_question(run, rows),
        answers=list_answers(run, rows, by, best, ties),
        word_tables=tuple(filter(None, word_tables)),
        charts=tuple(_draw_charts(run, by, best, steps)),
        table=table,
        ties=ties,
        failures=list_failures(table.rows),
        measured_on=(list_run_facts(run),),
        precision=tuple(line for line in table.caption if line not in table.distrust),
        distrust=table.distrust,
    )


def _draw_charts(run: JudgedRun, by: Terms, best: Sequence[Row], steps: Sequence[FrontStep]) -> Iterable[Chart]:
    """The charts of a review: scatters, the cost by parts, and the effect of each axis on it."""
    table = run.table
    new = replace(table, rows=tuple(row for row in table.rows if row.get(SIDE.name) != "base"))
    competitors = _describe_competitors(table.rows)
    yield from _draw_scatters(_put_side_first(table), by, best, competitors)
    yield from draw_breakdowns(_break_down_costs(run.stored_run.records, steps, new.rows))
    cost = "latency_ms" if by.cost == "latency_ms" else "macs"
    if (chart := draw_effects(new, cost, find_zips(run.stored_run.manifest))) is not None:
        of_whom = competitors if len(new.rows) < len(table.rows) else ""
        yield replace(chart, note="; ".join(filter(None, [chart.note, of_whom])))


def _describe_competitors(rows: Sequence[Row]) -> str:
    """The variants among which a line is the best, where they are not all that are drawn."""
    if any(row.get(SIDE.name) == "base" for row in rows):
        return "of the new networks alone"
    return "" if len(deciding_rows(rows)) == len(rows) else "of those within the constraints"


def _put_side_first(table: Table) -> Table:
    """A comparison's table as charts draw it: base and new, where both are there, are told apart before any axis."""
    sides = (replace(column, axis=True) for column in table.columns if column.name == SIDE.name)
    return replace(table, columns=(*sides, *(column for column in table.columns if column.name != SIDE.name)))


def _draw_scatters(table: Table, by: Terms, best: Sequence[Row], competitors: str) -> Iterable[Chart]:
    """The scatters of latency against MACs, score against cost and memory against cost, as far as there are numbers."""
    own = deciding_rows(table.rows)
    measured = by.cost == "latency_ms"
    if measured:
        known = any(row["half_width"] is not None for row in table.rows)
        marks = ("bars are 95 % intervals, " if known else "no interval is known, ") + "the ring is the reference"
        line = find_line(own, "latency_ms", "macs")
        line_is = _join_phrases(", ", "most MACs for least latency", competitors)
        yield from _draw_pair("latency", table, ("macs", "latency_ms"), line, marks=marks, line_is=line_is)
    else:
        marks = "nothing was measured: MACs in the place of latency"
        yield from _draw_pair("macs", table, ("params", "macs"), (), marks=marks)
    if by.gain == "score":
        line_is = _join_phrases(", ", "most score for least cost", competitors)
        yield from _draw_pair("score", table, (by.cost, "score"), best, line_is=line_is)
    cost, memory = "latency_ms" if measured else "macs", _choose_memory_metric(table.rows)
    least = find_line(own, cost, memory, gain_side="min")
    marks = _join_phrases(", ", f"{full_name(least[0])} is least in both", competitors) if len(least) == 1 else ""
    line_is = _join_phrases(", ", "nothing is less in both", competitors)
    yield from _draw_pair("memory", table, (cost, memory), least, marks=marks, line_is=line_is)


def _join_phrases(between: str, *phrases: str) -> str:
    return between.join(filter(None, phrases))


def _draw_pair(
    name: str, table: Table, metrics: tuple[str, str], line: Sequence[Row], *, marks: str = "", line_is: str = ""
) -> Iterable[Chart]:
    """Two metrics against each other; `line_is` describes the line, where there is one. Nothing where too few have both."""
    x, y = metrics
    if (spec := draw_scatter(table, x, y, line=line)) is not None:
        title = f"{metric_phrase(y, capital=True)} against {metric_phrase(x)}"
        yield Chart(name, title, _join_phrases("; ", marks, f"dashed: {line_is}" if is_drawn(line) else ""), spec)


def _choose_memory_metric(rows: Sequence[Row]) -> str:
    """Memory as it was seen on the device where every measured row has it, else the exact peak."""
    timed = [row for row in rows if row["latency_ms"] is not None]
    return "memory_bytes" if timed and all(row["memory_bytes"] is not None for row in timed) else "peak_bytes"


def _break_down_costs(
    records: Sequence[Record], steps: Sequence[FrontStep], rows: Sequence[Row]
) -> list[CostBreakdown]:
    """The networks of the steps, and the reference first where it is none of them."""
    known = {record.key: record for record in records}
    keys = [row_key(step.row) for step in steps]
    keys = [key for row in rows if row["reference"] and (key := row_key(row)) not in keys] + keys
    return [each for key in keys if key in known and (each := break_down_cost(known[key])) is not None]


def list_failures(rows: Sequence[Row]) -> Facts:
    """Every variant without a result, and the reason."""
    return tuple(
        (visible(row["name"], LONGEST), f"{row['status']}: {visible(row['reason'] or 'no reason was kept', LONGEST)}")
        for row in rows
        if row["status"] in UNFINISHED
    )


def list_run_facts(run: JudgedRun) -> tuple[str, Facts]:
    """When a run began, and what it was measured on and with; what is not known is left out."""
    manifest, records = run.stored_run.manifest, run.stored_run.records
    environment: Mapping[str, Any] = manifest["environment"]
    workload = _shared_workload(records)
    begun = datetime.fromtimestamp(manifest["created_ns"] // units.NS_PER_S, UTC)
    given = {
        "device": environment["device"],
        "GPU": (environment.get("gpu") or {}).get("name"),
        "driver": environment.get("driver"),
        "processor": f"{environment['cpu']}, {environment['cores']} cores",
        "memory": f"{units.format_gib(environment['memory_bytes'])} GiB" if environment.get("memory_bytes") else None,
        "system": environment.get("os"),
        "python": environment.get("python"),
        **environment["versions"],
        "flags": ", ".join(f"{name}={value}" for name, value in (environment.get("flags") or {}).items()),
        "commit": environment.get("commit"),
        "workload": workload,
        "plan": ", ".join(f"{name} {units.format_plain(value)}" for name, value in manifest["plan"].items()),
    }
    facts = tuple((name, visible(str(value), LONGEST)) for name, value in given.items() if value)
    return f"begun {begun:%Y-%m-%d %H:%M} UTC", facts


def _shared_workload(records: Sequence[Record]) -> str:
    """The workload that all variants have; what differs is an axis and in the table."""
    first = records[0].workload if records else {}
    same = {name: value for name, value in first.items() if all(r.workload.get(name) == value for r in records)}
    return ", ".join(f"{name} {units.format_plain(value)}" for name, value in same.items() if value is not None)
