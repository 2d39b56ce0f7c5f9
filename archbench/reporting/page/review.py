"""A design review: the question, what the table decides, its charts, and what to distrust. Everything `page` shows.

Made from a run's table, records and header alone, so that the same run is always the same page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archbench.comparison.budgets import STANDING, WITHIN, Excess, stored_budgets
from archbench.comparison.verdict_table import ORDER
from archbench.reporting.page import cost_breakdown, decision, effects
from archbench.reporting.page.axes import Zips, find_zips
from archbench.reporting.page.charts import Chart, draw_scatter, format_metric, is_drawn, join_values
from archbench.reporting.page.decision import FrontStep, Peers, Terms
from archbench.reporting.page.provenance import format_start, list_run_facts
from archbench.reporting.page.tables import (
    WordTable,
    build_excess_table,
    build_ladder_table,
    build_standing_table,
    build_step_table,
    build_verdict_table,
)
from archbench.reporting.page.wording import (
    LONGEST,
    Facts,
    describe_latency,
    format_amount,
    full_name,
    join_words,
    metric_phrase,
    name_some,
)
from archbench.runs.records import UNFINISHED, Key, Record
from archbench.statistics.ties import Ties
from archbench.tables.table import SIDE, Row, Table, deciding_rows
from archbench.text import visible

MOST_WARNING = 200  # characters of one, where the decision stands
LOUD = ("regressed", "improved")  # verdicts whose variants are named at the top


@dataclass(frozen=True)
class Review:
    """What a page shows, from top to bottom. Texts are not escaped."""

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


def build_review(
    table: Table,
    records: Sequence[Record],
    header: Mapping[str, Any],
    *,
    ties: Ties,
    verdicts: Table | None = None,
    excesses: Sequence[Excess] = (),
) -> Review:
    """The review of one run. In a comparison what decides are the verdicts, then the new side's variants alone: the base's
    are drawn and listed beside them, on no line and no step."""
    rows = deciding_rows(table.rows)
    by = decision.choose_terms(rows)
    best = decision.find_line(rows, by.cost, by.gain)
    ladder = decision.find_rungs(rows, ties)
    shown_steps = decision.find_front_steps(decision.thin_line(best), by, ties)
    grids = (
        build_verdict_table(verdicts) if verdicts else None,
        build_standing_table(rows),
        build_ladder_table(ladder) if ladder else None,
        build_step_table(shown_steps, len(best), by) if best else None,
        build_excess_table(excesses),
    )
    return Review(
        title=table.title,
        question=_phrase_question(table, rows, header),
        answers=(
            *_answer_verdicts(verdicts),
            *answer_fastest(rows, ties),
            *_answer_cheapest(rows, by),
            *_answer_budgets(rows, header, by, ties),
            *_answer_reference(rows, by),
            *_answer_rest(best, by),
            *warn_of_distrust(table.distrust),
        ),
        word_tables=tuple(grid for grid in grids if grid is not None),
        charts=tuple(_draw_charts(table, records, by, best, shown_steps, zips=find_zips(header))),
        table=table,
        ties=ties,
        failures=list_failures(table.rows),
        measured_on=((format_start(header), list_run_facts(header, records)),),
        precision=tuple(said for said in table.caption if said not in table.distrust),
        distrust=table.distrust,
    )


def _phrase_question(table: Table, rows: Sequence[Row], header: Mapping[str, Any]) -> str:
    spec = header.get("spec") or {}
    axes = [column.label for column in table.columns if column.axis]
    of = f" of {visible(str(spec['base']))}" if spec.get("base") and "base" not in axes else ""
    differ = f" They differ in {join_words(axes)}." if axes and len(rows) > 1 else ""
    constraints = [str(text) for text in spec.get("constraints") or []]
    allowed = f" Allowed: {join_values(constraints)}." if constraints else " No constraint was set."
    count = len({row["id"] for row in rows})  # of a variant that is measured several times one
    return f"{_phrase_choice(count, of, header.get('against'))}{differ}{allowed}"


def _phrase_choice(count: int, of: str, against: Mapping[str, Any] | None) -> str:
    variants = f"{count:,} variants{of}" if count != 1 else f"one variant{of}"
    if against is not None:
        return f"Does any of {variants} take longer than its base in {visible(str(against.get('name')))}?"
    if count == 1:
        return f"What does {variants} cost?"
    return f"Which of {variants} should the detector take, given what it costs?"


def _answer_verdicts(verdicts: Table | None) -> Facts:
    """How many of each verdict, and whom what is no equivalence is of."""
    if verdicts is None:
        return ()
    names: dict[str, list[Row]] = {}
    for row in verdicts.rows:
        names.setdefault(row["verdict"], []).append(row)
    known = [word for word in ORDER if word in names]
    told = [f"{len(names[word]):,} {word}" + (f" ({name_some(names[word])})" if word in LOUD else "") for word in known]
    return (("New against base", f"{', '.join(told) or 'nothing could be compared'}."),)


def answer_fastest(rows: Sequence[Row], ties: Ties) -> Facts:
    """Who is fastest, and how sure that is; nothing where nothing was measured."""
    best = decision.find_fastest(rows)
    if best is None:
        return ()
    return (
        (
            "Fastest",
            f"{full_name(best)}: {describe_latency(best)}{_describe_certainty(best, decision.find_peers(best, rows, ties))}",
        ),
    )


def _describe_certainty(row: Row, peers: Peers) -> str:
    if row["half_width"] is None:
        why = "one generation gives no interval" if row["generations"] == 1 else "no two variants met in two sessions"
        return f". How sure that is, is not known: {why}."
    interval = f" (95 % interval, {row['generations']} generations of fresh processes)."
    if not (peers.ties or peers.told or peers.untold):
        return f"{interval} No other was measured."
    return f"{interval}{_describe_ties(peers)}{_describe_missing(peers)}"


def _describe_ties(peers: Peers) -> str:
    if peers.ties:
        return f" It cannot be told from {name_some(peers.ties)}: the 95 % interval of their ratio holds 1."
    if not peers.told:
        return ""
    if peers.untold:
        of = f"the {peers.told if peers.told > 1 else 'one'} it was compared with"
    else:
        of = "the other one" if peers.told == 1 else f"each of the other {peers.told:,}"
    return f" It is told apart from {of}: no 95 % interval of a ratio to it holds 1."


def _describe_missing(peers: Peers) -> str:
    if not peers.untold:
        return ""
    reasons = ", ".join(f"{count:,} ({why})" for why, count in peers.untold.items())
    return f" Not compared with it: {reasons}."


def _answer_cheapest(rows: Sequence[Row], by: Terms) -> Facts:
    """Of a run that was only priced: the least MACs."""
    if by.cost == "latency_ms":
        return ()
    known = [row for row in rows if row["macs"] is not None]
    if not known:
        return ()
    least = min(known, key=lambda row: int(row["macs"]))
    failed = sum(row["status"] == "failed" for row in rows)
    told = f"{failed:,} of {len(rows):,} failed; " if failed else ""
    said = f"{told}what follows is exact cost. Least MACs: {full_name(least)}, {format_amount(least, 'macs')}."
    return (("Nothing was measured", said),)


def _answer_budgets(rows: Sequence[Row], header: Mapping[str, Any], by: Terms, ties: Ties) -> Facts:
    """Which budgets there are, how many keep them all, and the fastest and the most capable of those."""
    if not (budgets := stored_budgets(header)):
        return ()
    kept = [row for row in rows if row[STANDING.name] == WITHIN]
    counts = Counter(row[STANDING.name] for row in rows if row[STANDING.name] is not None)
    told = ", ".join(f"{counts[each]:,} {each}" for each in sorted(counts, reverse=True))
    limits = join_words([f"{metric_phrase(metric)} {format_metric(most, metric)}" for metric, most in budgets.items()])
    most = max(kept, key=lambda row: (row[by.gain] is not None, row[by.gain] or 0), default=None)
    return (
        ("Budgets", f"{limits}. Variants: {told}."),
        *_answer_fastest_within(kept, rows, ties),
        *(_answer_most_within(most, by) if most is not None and most[by.gain] is not None else ()),
    )


def _answer_fastest_within(kept: Sequence[Row], rows: Sequence[Row], ties: Ties) -> Facts:
    best = decision.find_fastest(kept)
    if best is not None and best is decision.find_fastest(rows):
        return (("Fastest within them", f"{full_name(best)}, the fastest of all."),)
    return tuple((f"{label} within them", said) for label, said in answer_fastest(kept, ties))


def _answer_most_within(row: Row, by: Terms) -> Facts:
    costs = [format_amount(row, by.gain), *([describe_latency(row)] if row["latency_ms"] is not None else [])]
    return ((f"Most {metric_phrase(by.gain)} within them", f"{full_name(row)}: {', '.join(costs)}."),)


def _answer_reference(rows: Sequence[Row], by: Terms) -> Facts:
    base = next((row for row in rows if row["reference"]), None)
    if base is None:
        return ()
    costs = [describe_latency(base)] if base["latency_ms"] is not None else []
    names = ("macs", "params", "peak_bytes", "score")
    costs += [f"{metric_phrase(name)} {format_amount(base, name)}" for name in names if base[name] is not None]
    return (("Reference", f"{full_name(base)}: {', '.join(costs)}."),)


def _answer_rest(best: Sequence[Row], by: Terms) -> Facts:
    if not best:
        return ()
    stand_in = (
        " MACs stand for capacity: there are no scores, and nothing here knows accuracy." if by.gain == "macs" else ""
    )
    count = f"{len(best)} variants are" if len(best) != 1 else "1 variant is"
    line = (
        f"{count} on the line of most {metric_phrase(by.gain)} for least {metric_phrase(by.cost)}: {name_some(best)}."
    )
    return (("Worth a look", line + stand_in),)


def warn_of_distrust(distrust: Sequence[str]) -> Facts:
    """That there is something to distrust stands where the decision does."""
    if not distrust:
        return ()
    more = f" (and {len(distrust) - 1:,} more below)" if len(distrust) > 1 else ""
    return (("Distrust", f"{visible(distrust[0], MOST_WARNING)}{more}."),)


def _draw_charts(
    table: Table, records: Sequence[Record], by: Terms, best: Sequence[Row], found: Sequence[FrontStep], *, zips: Zips
) -> Iterable[Chart]:
    cost = "latency_ms" if by.cost == "latency_ms" else "macs"
    own, alone = deciding_rows(table.rows), _describe_competitors(table.rows)
    new = replace(table, rows=tuple(row for row in table.rows if row.get(SIDE.name) != "base"))
    table = _put_side_first(table)
    yield from _draw_against_macs(table, by, alone)
    if by.gain == "score":
        line_is = _join_sayings("most score for least cost", alone)
        yield from _draw_pair("score", table, (by.cost, "score"), best, line_is=line_is)
    memory = choose_memory_metric(table.rows)
    least = decision.find_line(own, cost, memory, gain_side="min")
    said = _join_sayings(f"{full_name(least[0])} is least in both", alone) if len(least) == 1 else ""
    line_is = _join_sayings("nothing is less in both", alone)
    yield from _draw_pair("memory", table, (cost, memory), least, said, line_is=line_is)
    known = {record.key: record for record in records}
    yield from cost_breakdown.draw_breakdowns(_break_down_costs(known, found, new.rows))
    if (chart := effects.draw_effects(new, cost, zips)) is not None:
        of_whom = alone if len(new.rows) < len(table.rows) else ""
        yield replace(chart, said="; ".join(filter(None, [chart.said, of_whom])))


def _describe_competitors(rows: Sequence[Row]) -> str:
    """Whose the lines are, where that is not everybody's."""
    if any(row.get(SIDE.name) == "base" for row in rows):
        return "of the new networks alone"
    return "" if len(deciding_rows(rows)) == len(rows) else "of those within the constraints"


def _join_sayings(said: str, alone: str) -> str:
    """What is said of a line, and among whom it is."""
    return ", ".join(filter(None, [said, alone]))


def _put_side_first(table: Table) -> Table:
    """A comparison's table as charts draw it: base and new, where both are there, are told apart before any axis."""
    sides = (replace(column, axis=True) for column in table.columns if column.name == SIDE.name)
    return replace(table, columns=(*sides, *(column for column in table.columns if column.name != SIDE.name)))


def _draw_against_macs(table: Table, by: Terms, alone: str) -> Iterable[Chart]:
    if by.cost == "latency_ms":
        known = any(row["half_width"] is not None for row in table.rows)
        marks = ("bars are 95 % intervals, " if known else "no interval is known, ") + "the ring is the reference"
        best = decision.find_line(deciding_rows(table.rows), "latency_ms", "macs")
        line_is = _join_sayings("most MACs for least latency", alone)
        yield from _draw_pair("latency", table, ("macs", "latency_ms"), best, marks, line_is=line_is)
    else:
        yield from _draw_pair(
            "macs", table, ("params", "macs"), (), "nothing was measured: MACs in the place of latency"
        )


def _draw_pair(
    name: str, table: Table, axes: tuple[str, str], line: Sequence[Row], said: str = "", *, line_is: str = ""
) -> Iterable[Chart]:
    """Two metrics against each other. `line_is` is said of the line, where there is one."""
    x, y = axes
    if (spec := draw_scatter(table, x, y, line=line)) is not None:
        told = [said, f"dashed: {line_is}" if is_drawn(line) else ""]
        yield Chart(
            name, f"{metric_phrase(y, capital=True)} against {metric_phrase(x)}", "; ".join(filter(None, told)), spec
        )


def choose_memory_metric(rows: Sequence[Row]) -> str:
    """What was seen on the device where every measured row has it, else the exact peak."""
    timed = [row for row in rows if row["latency_ms"] is not None]
    return "memory_bytes" if timed and all(row["memory_bytes"] is not None for row in timed) else "peak_bytes"


def _break_down_costs(
    known: Mapping[Key, Record], found: Sequence[FrontStep], rows: Sequence[Row]
) -> list[cost_breakdown.CostBreakdown]:
    """Of the steps, and of the reference first where it is none of them."""
    keys = [step.key for step in found]
    keys = [key for row in rows if row["reference"] and (key := decision.row_key(row)) not in keys] + keys
    return [each for key in keys if key in known and (each := cost_breakdown.break_down_cost(known[key])) is not None]


def list_failures(rows: Sequence[Row]) -> Facts:
    """Each variant without a result, with why."""
    return tuple(
        (visible(row["name"], LONGEST), f"{row['status']}: {visible(row['reason'] or 'no reason was kept', LONGEST)}")
        for row in rows
        if row["status"] in UNFINISHED
    )
