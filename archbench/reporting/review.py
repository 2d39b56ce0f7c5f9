"""A design review: the question, what the table decides, its charts, and what to distrust. Everything `page` shows.

Made from a run's table, records and header alone, so that the same run is always the same page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from archbench import units
from archbench.design.document import visible
from archbench.metrics import METRICS
from archbench.reporting import decision, effects, where
from archbench.reporting.charts import Chart, plainly, scatter, shown
from archbench.reporting.decision import Rung, Step, Terms, Ties
from archbench.reporting.records import Key, Record
from archbench.reporting.tables import Row, Table
from archbench.units import NS_PER_S

NAMED = 4  # variants a cell spells out before it counts the rest
LONGEST = 1000

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grid:
    """A small table of words: headings, which of them stand over numbers, rows of cells. Not escaped."""

    title: str
    said: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


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
            *([_verdict_grid(verdicts)] if verdicts else []),
            *([_step_grid(shown_steps, len(best), by)] if best else []),
            *([_ladder_grid(ladder)] if ladder else []),
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
    differ = f" They differ in {_and(axes)}." if axes and count > 1 else ""
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
    return f"It cannot be told from {_some(others)}: the 95 % interval of their ratio holds 1."


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
            f"what follows is exact cost. Least MACs: {full_name(least)}, {_amount(least, 'macs')}.",
        ),
    )


def _reference(rows: Sequence[Row], by: Terms) -> Facts:
    base = next((row for row in rows if row["reference"]), None)
    if base is None:
        return ()
    costs = [latency(base)] if base["latency_ms"] is not None else []
    names = ("macs", "params", "peak_bytes", "score")
    costs += [f"{_word(name)} {_amount(base, name)}" for name in names if base[name] is not None]
    return (("Reference", f"{full_name(base)}: {', '.join(costs)}."),)


def _rest(best: Sequence[Row], by: Terms) -> Facts:
    if not best:
        return ()
    stand_in = (
        " MACs stand for capacity: there are no scores, and nothing here knows accuracy." if by.gain == "macs" else ""
    )
    count = f"{len(best)} variants are" if len(best) != 1 else "1 variant is"
    return (("Worth a look", f"{count} on the line of most {_word(by.gain)} for least {_word(by.cost)}.{stand_in}"),)


def _step_grid(found: Sequence[Step], of: int, by: Terms) -> Grid:
    left_out = f"; {len(found)} of the {of} on the line, evenly chosen" if len(found) < of else ""
    beside = [name for name in ("macs", "params", "peak_bytes") if name not in (by.cost, by.gain)]
    measured = by.cost == "latency_ms"
    headings = [
        *("variant", METRICS[by.cost].title, *(["± 95 %"] if measured else []), METRICS[by.gain].title),
        *(METRICS[name].title for name in beside),
        *("to the reference", "costs more", "gives more", *(["told apart"] if measured else [])),
    ]
    rows = tuple(
        (
            *(full_name(step.row), _write(step.row, by.cost), *([_width(step.row)] if measured else [])),
            *(_write(step.row, name) for name in (by.gain, *beside)),
            units.MISSING if step.row["ratio"] is None else units.ratio(step.row["ratio"]),
            *(_more(step, by), _gained(step, by), *([_apart(step)] if measured else [])),
        )
        for step in found
    )
    told = "; told apart: whether the interval of the two's ratio leaves out 1" if measured else ""
    said = f"each row is the next step up from the one above it{told}{left_out}"
    return Grid("What each step up costs", said, tuple(headings), (False, *(True,) * (len(headings) - 1)), rows)


def _more(step: Step, by: Terms) -> str:
    if step.cost_more is None:
        return units.MISSING
    share = f" (+{units.percent(step.factor - 1)})" if step.factor else ""
    return f"+{shown(step.cost_more, by.cost)}{share}"


def _gained(step: Step, by: Terms) -> str:
    return units.MISSING if step.gain_more is None else f"+{shown(step.gain_more, by.gain)}"


def _apart(step: Step) -> str:
    return units.MISSING if step.sure is None else "yes" if step.sure else "no"


def _ladder_grid(rungs: Sequence[Rung]) -> Grid:
    rows = tuple(
        (
            _span(*(METRICS["macs"].write(macs).rstrip("0").rstrip(".") for macs in (rung.least, rung.most))),
            _span(*map(units.count, rung.among)),
            full_name(rung.row),
            _write(rung.row, "latency_ms"),
            _width(rung.row),
            _some(rung.ties) if rung.ties else "none" if rung.row["half_width"] is not None else "not known",
        )
        for rung in rungs
    )
    headings = ("MACs (G) up to", "variants", "fastest", METRICS["latency_ms"].title, "± 95 %", "cannot be told from")
    said = "the table below finds it for any other number: set a limit, it names the fastest that is left"
    return Grid("Fastest within a budget of MACs", said, headings, (True, True, False, True, True, False), rows)


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _verdict_grid(table: Table) -> Grid:
    columns = [column for column in table.columns if any(row.get(column.name) is not None for row in table.rows)]
    return Grid(
        "New against base",
        "; ".join(table.caption),
        tuple(column.label for column in columns),
        tuple(column.numeric for column in columns),
        tuple(tuple(column.text(row) for column in columns) for row in table.rows),
    )


def _charts(
    table: Table, records: Sequence[Record], by: Terms, best: Sequence[Row], found: Sequence[Step]
) -> Iterable[Chart]:
    cost = "latency_ms" if by.cost == "latency_ms" else "macs"
    yield from _against_macs(table, by, best)
    if by.gain == "score":
        yield from _scattered("score", table, by.cost, "score", best, "dashed: most score for least cost")
    memory = memory_metric(table.rows)
    least = decision.line(table.rows, cost, memory, gain_side="min")
    said = (
        "dashed: nothing is less in both"
        if len(least) > 1
        else f"{full_name(least[0])} is least in both"
        if least
        else ""
    )
    yield from _scattered("memory", table, cost, memory, least, said)
    known = {record.key: record for record in records}
    yield from where.charts(_breakdowns(known, found, table.rows))
    if (chart := effects.chart(table, cost)) is not None:
        yield chart


def _against_macs(table: Table, by: Terms, best: Sequence[Row]) -> Iterable[Chart]:
    if by.cost == "latency_ms":
        joined, said = (best, "; dashed: most MACs for least latency") if by.gain == "macs" else ((), "")
        bars = "bars are 95 % intervals, the ring is the reference"
        yield from _scattered("latency", table, "macs", "latency_ms", joined, bars + said)
    else:
        yield from _scattered("macs", table, "params", "macs", (), "nothing was measured: MACs in the place of latency")


def _scattered(name: str, table: Table, x: str, y: str, line: Sequence[Row], said: str) -> Iterable[Chart]:
    if (spec := scatter(table, x, y, line=line)) is not None:
        yield Chart(name, f"{_word(y, capital=True)} against {_word(x)}", said, spec)


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


def began(header: Mapping[str, Any]) -> str:
    return f"begun {datetime.fromtimestamp(header['created_ns'] // NS_PER_S, UTC):%Y-%m-%d %H:%M} UTC"


def facts(header: Mapping[str, Any], records: Sequence[Record]) -> Facts:
    """What the run was measured on and with; what is not known is left out."""
    environment = header["environment"]
    given = {
        "device": environment["device"],
        "GPU": (environment.get("gpu") or {}).get("name"),
        "driver": environment.get("driver"),
        "processor": f"{environment['cpu']}, {environment['cores']} cores",
        "memory": f"{units.gib(environment['memory_bytes'])} GiB" if environment.get("memory_bytes") else None,
        "system": environment.get("os"),
        "python": environment.get("python"),
        **environment["versions"],
        "flags": ", ".join(f"{name}={value}" for name, value in (environment.get("flags") or {}).items()),
        "commit": environment.get("commit"),
        "workload": _workload(records),
        "plan": ", ".join(f"{name} {units.plain(value)}" for name, value in header["plan"].items()),
    }
    return tuple((name, visible(str(value), LONGEST)) for name, value in given.items() if value)


def _workload(records: Sequence[Record]) -> str:
    """What all variants are given; what differs is an axis and in the table."""
    first = records[0].workload if records else {}
    same = {name: value for name, value in first.items() if all(r.workload.get(name) == value for r in records)}
    return ", ".join(f"{name} {units.plain(value)}" for name, value in same.items() if value is not None)


def full_name(row: Row) -> str:
    """A variant's name, and which replica it is."""
    replica = f" (replica {row['replica']})" if row["replica"] else ""
    return visible(row["name"], LONGEST) + replica


def latency(row: Row) -> str:
    """A latency with its interval, where it has one."""
    return f"{shown(row['latency_ms'], 'latency_ms')} {_width(row)}".removesuffix(f" {units.MISSING}")


def _width(row: Row) -> str:
    return units.MISSING if row["half_width"] is None else units.half_width(row["half_width"])


def _write(row: Row, metric: str) -> str:
    return units.MISSING if row[metric] is None else METRICS[metric].write(row[metric])


def _amount(row: Row, metric: str) -> str:
    return shown(row[metric], metric)


def _word(metric: str, *, capital: bool = False) -> str:
    """A metric in a sentence: its label without the unit."""
    word = METRICS[metric].title.partition(" (")[0]
    word = "peak memory" if metric == "peak_bytes" else word
    return word[0].upper() + word[1:] if capital else word


def _some(rows: Sequence[Row]) -> str:
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return ", ".join(full_name(row) for row in rows[:NAMED]) + more


def _and(words: Sequence[str]) -> str:
    shown_words = [visible(word) for word in words]
    return " and ".join([", ".join(shown_words[:-1]), shown_words[-1]] if len(words) > 1 else shown_words)
