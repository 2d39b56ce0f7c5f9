"""A design review: the question, what the table decides, its charts, and what to distrust. Everything `page` shows.

Made from a run's table, records and header alone, so that the same run is always the same page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archbench.design.document import visible
from archbench.reporting import decision, effects, where
from archbench.reporting.charts import Chart, plainly, scatter
from archbench.reporting.decision import Step, Terms, Ties
from archbench.reporting.grids import Grid, ladder_grid, step_grid, verdict_grid
from archbench.reporting.provenance import began, facts
from archbench.reporting.records import Key, Record
from archbench.reporting.tables import Row, Table
from archbench.reporting.wording import LONGEST, Facts, amount, conjoined, full_name, latency, some, word


@dataclass(frozen=True)
class Review:
    """What a page shows, from top to bottom. Texts are not escaped."""

    title: str
    question: str
    answers: Facts
    grids: tuple[Grid, ...]
    charts: tuple[Chart, ...]
    table: Table
    ties: Ties = field(default_factory=dict)
    failures: Facts = ()
    measured_on: tuple[tuple[str, Facts], ...] = ()
    precision: tuple[str, ...] = ()
    distrust: tuple[str, ...] = ()


def review(
    table: Table,
    records: Sequence[Record],
    header: Mapping[str, Any],
    *,
    ties: Ties,
    verdicts: Table | None = None,
) -> Review:
    """The review of one run."""
    by = decision.terms(table.rows)
    best = decision.line(table.rows, by.cost, by.gain)
    ladder = decision.ladder(table.rows, ties)
    shown_steps = decision.steps(decision.thinned(best), by, ties)
    return Review(
        title=table.title,
        question=_question(table, header),
        answers=(
            *fastest_of(table.rows, ties),
            *_cheapest(table.rows, by),
            *_reference(table.rows, by),
            *_rest(best, by),
        ),
        grids=(
            *([verdict_grid(verdicts)] if verdicts else []),
            *([step_grid(shown_steps, len(best), by)] if best else []),
            *([ladder_grid(ladder)] if ladder else []),
        ),
        charts=tuple(_charts(table, records, by, best, shown_steps)),
        table=table,
        ties=ties,
        failures=failures(table.rows),
        measured_on=((began(header), facts(header, records)),),
        precision=tuple(said for said in table.caption if said not in table.distrust),
        distrust=table.distrust,
    )


def _question(table: Table, header: Mapping[str, Any]) -> str:
    spec = header.get("spec") or {}
    axes = [column.label for column in table.columns if column.axis]
    of = f" of {visible(str(spec['base']))}" if spec.get("base") and "base" not in axes else ""
    count = len(table.rows)
    which = (
        f"Which of {count:,} variants{of} should the detector take" if count != 1 else f"What does one variant{of} cost"
    )
    differ = f" They differ in {conjoined(axes)}." if axes and count > 1 else ""
    constraints = [str(text) for text in spec.get("constraints") or []]
    allowed = f" Allowed: {plainly(constraints)}." if constraints else " No constraint was set."
    return f"{which}, given what it costs?{differ}{allowed}" if count != 1 else f"{which}?{allowed}"


def fastest_of(rows: Sequence[Row], ties: Ties) -> Facts:
    """Who is fastest, and how sure that is; nothing where nothing was measured."""
    best = decision.fastest(rows)
    if best is None:
        return ()
    others = decision.tied(best, rows, ties)
    return (("Fastest", f"{full_name(best)}: {latency(best)}. {_sure(best, others, ties)}"),)


def _sure(row: Row, others: Sequence[Row], ties: Ties) -> str:
    if decision.row_key(row) not in ties:
        return "How sure that is, is not known: one generation gives no interval."
    if not others:
        return "It is told apart from every other, each by the 95 % interval of their ratio."
    return f"It cannot be told from {some(others)}: the 95 % interval of their ratio holds 1."


def _cheapest(rows: Sequence[Row], by: Terms) -> Facts:
    """Of a run that was only priced: the least MACs."""
    if by.cost == "latency_ms":
        return ()
    known = [row for row in rows if row["macs"] is not None]
    if not known:
        return ()
    least = min(known, key=lambda row: int(row["macs"]))
    return (
        (
            "Nothing was measured",
            f"what follows is exact cost. Least MACs: {full_name(least)}, {amount(least, 'macs')}.",
        ),
    )


def _reference(rows: Sequence[Row], by: Terms) -> Facts:
    base = next((row for row in rows if row["reference"]), None)
    if base is None:
        return ()
    costs = [latency(base)] if base["latency_ms"] is not None else []
    names = ("macs", "params", "peak_bytes", "score")
    costs += [f"{word(name)} {amount(base, name)}" for name in names if base[name] is not None]
    return (("Reference", f"{full_name(base)}: {', '.join(costs)}."),)


def _rest(best: Sequence[Row], by: Terms) -> Facts:
    if not best:
        return ()
    stand_in = (
        " MACs stand for capacity: there are no scores, and nothing here knows accuracy." if by.gain == "macs" else ""
    )
    count = f"{len(best)} variants are" if len(best) != 1 else "1 variant is"
    return (("Worth a look", f"{count} on the line of most {word(by.gain)} for least {word(by.cost)}.{stand_in}"),)


def _charts(
    table: Table, records: Sequence[Record], by: Terms, best: Sequence[Row], found: Sequence[Step]
) -> Iterable[Chart]:
    cost = "latency_ms" if by.cost == "latency_ms" else "macs"
    yield from _against_macs(table, by, best)
    if by.gain == "score":
        yield from _scattered("score", table, (by.cost, "score"), best, "dashed: most score for least cost")
    memory = memory_metric(table.rows)
    least = decision.line(table.rows, cost, memory, gain_side="min")
    said = (
        "dashed: nothing is less in both"
        if len(least) > 1
        else f"{full_name(least[0])} is least in both"
        if least
        else ""
    )
    yield from _scattered("memory", table, (cost, memory), least, said)
    known = {record.key: record for record in records}
    yield from where.charts(_breakdowns(known, found, table.rows))
    if (chart := effects.chart(table, cost)) is not None:
        yield chart


def _against_macs(table: Table, by: Terms, best: Sequence[Row]) -> Iterable[Chart]:
    if by.cost == "latency_ms":
        joined, said = (best, "; dashed: most MACs for least latency") if by.gain == "macs" else ((), "")
        bars = "bars are 95 % intervals, the ring is the reference"
        yield from _scattered("latency", table, ("macs", "latency_ms"), joined, bars + said)
    else:
        yield from _scattered(
            "macs", table, ("params", "macs"), (), "nothing was measured: MACs in the place of latency"
        )


def _scattered(name: str, table: Table, axes: tuple[str, str], line: Sequence[Row], said: str) -> Iterable[Chart]:
    x, y = axes
    if (spec := scatter(table, x, y, line=line)) is not None:
        yield Chart(name, f"{word(y, capital=True)} against {word(x)}", said, spec)


def memory_metric(rows: Sequence[Row]) -> str:
    """What was seen on the device where every measured row has it, else the exact peak."""
    timed = [row for row in rows if row["latency_ms"] is not None]
    return "memory_bytes" if timed and all(row["memory_bytes"] is not None for row in timed) else "peak_bytes"


def _breakdowns(known: Mapping[Key, Record], found: Sequence[Step], rows: Sequence[Row]) -> list[where.Breakdown]:
    """Of the steps, and of the reference first where it is none of them."""
    keys = [step.key for step in found]
    keys = [key for row in rows if row["reference"] and (key := decision.row_key(row)) not in keys] + keys
    return [each for key in keys if key in known and (each := where.breakdown(known[key])) is not None]


def failures(rows: Sequence[Row]) -> Facts:
    """Each variant without a result, with why."""
    return tuple(
        (visible(row["name"], LONGEST), f"{row['status']}: {visible(row['reason'] or 'no reason was kept', LONGEST)}")
        for row in rows
        if row["status"] in ("failed", "not reached")
    )
