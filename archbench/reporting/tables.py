"""The comparison table: one row a record, every number in base units with its kind, and what must be said of the whole.

Formats (`terminal`, `markdown`, `csv_file`, `json_file`, `frame`) write this table; none of them computes anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from archbench import units
from archbench.metrics import EXACT, METRICS, Direction, Kind
from archbench.pricing.pareto import front
from archbench.reporting.records import Key, Record

if TYPE_CHECKING:  # summaries come from numpy, which pricing does without
    from archbench.reporting.stats import Summary

Row = dict[str, Any]
Holds = Literal["integer", "number", "flag", "text"]
NAMED = 4  # names a caption spells out before it counts the rest


@dataclass(frozen=True)
class Column:
    """One quantity of the table. `name` is its key in a row; `label` heads what people read, with the unit `write` uses.

    `kind` is that of all its numbers, null where they differ or have none. `priority`: the lower, the sooner a narrow
    terminal shows it.
    """

    name: str
    label: str
    holds: Holds
    priority: int
    write: Callable[[Any], str] = units.plain
    kind: Kind | None = None

    @property
    def numeric(self) -> bool:
        return self.holds in ("integer", "number")

    def text(self, row: Row) -> str:
        """What a person reads in this row; `-` where there is nothing. Not escaped."""
        value = row.get(self.name)
        return units.MISSING if value is None else self.write(value)


@dataclass(frozen=True)
class Table:
    """Rows in base units (counts, bytes, milliseconds, shares), null where a number is missing.

    A row also has `kind`, metric -> exact | traced | measured, and `warnings`; neither is a column.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: tuple[str, ...]


def build(
    records: Sequence[Record],
    summaries: Mapping[Key, Summary],
    *,
    reference: Key | None,
    scores: Mapping[str, float] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
) -> Table:
    """The table of `records`, in their order. `scores` are by name or id; `notes` end the caption.

    `ratio` is of latencies where anything was measured, else of MACs. `pareto` is the front of latency (MACs where
    nothing was measured) and peak bytes, least, against score (MACs where there are no scores), most; null for a row that
    lacks one of them. A failed row keeps its exact counts and has no latency.
    """
    summaries = {
        record.key: summaries[record.key] for record in records if record.key in summaries and record.status != "failed"
    }
    base = next((record for record in records if record.key == reference), None)
    rows = [_row(record, summaries.get(record.key), scores or {}) for record in records]
    if not summaries:
        _add_macs_ratios(rows, base)
    axes = _front_axes(measured=bool(summaries), scored=scores is not None)
    _add_front(rows, axes)
    caption = [
        *_reference_line(base, measured=bool(summaries)),
        *_precision_lines(summaries),
        *_memory_line(records),
        *_front_line(rows, axes),
        *_score_lines(records, scores),
        *_status_lines(records),
        *_warning_lines(records),
        *notes,
    ]
    columns = [_with_kind(column, rows) for column in _columns(records, measured=bool(summaries))]
    return Table(title, tuple(columns), tuple(rows), tuple(caption))


def json_object(table: Table, **extra: Any) -> dict[str, Any]:
    """The table as plain data: `variants` is the list of rows, beside it whatever the command adds."""
    return {"title": table.title, **extra, "variants": list(table.rows), "caption": list(table.caption)}


def _row(record: Record, summary: Summary | None, scores: Mapping[str, float]) -> Row:
    exact, traced = record.exact or {}, record.traced or {}
    counts = {name: exact.get(name, traced.get(name)) for name in EXACT}
    kinds: dict[str, Kind] = {
        name: "exact" if name in exact else "traced" for name in EXACT if counts[name] is not None
    }
    latency = _latency(summary)
    kinds |= {name: "measured" for name in ("latency_ms", "q25_ms", "q75_ms", "ratio") if latency[name] is not None}
    if record.memory_bytes is not None and record.memory_kind is not None:
        kinds["memory_bytes"] = record.memory_kind
    return {
        **record.axes,
        "name": record.name,
        "id": record.id,
        "replica": record.replica,
        "reference": record.reference,
        **counts,
        **latency,
        "memory_bytes": record.memory_bytes,
        "pareto": None,
        "score": scores.get(record.id, scores.get(record.name)),
        "status": record.status,
        "reason": record.reason,
        "warnings": list(record.warnings),
        "kind": kinds,
    }


def _latency(summary: Summary | None) -> Row:
    return {
        "latency_ms": summary and summary.median_ms,
        "q25_ms": summary and summary.q25_ms,
        "q75_ms": summary and summary.q75_ms,
        "half_width": summary and summary.half_width,
        "ratio": summary and summary.ratio,
        "ratio_half_width": summary and summary.ratio_half_width,
        "calls": summary and summary.calls,
        "generations": summary and summary.generations,
    }


def _add_macs_ratios(rows: Iterable[Row], base: Record | None) -> None:
    whole = ((base.exact or base.traced or {}) if base else {}).get("macs")
    for row in rows:
        if whole and row["macs"] is not None:
            row["ratio"] = row["macs"] / whole
            row["kind"]["ratio"] = row["kind"]["macs"]


def _front_axes(*, measured: bool, scored: bool) -> dict[str, list[Direction]]:
    """Metric -> directions. MACs stand on both sides where nothing was measured and nothing scored."""
    axes: dict[str, list[Direction]] = {"latency_ms" if measured else "macs": ["min"], "peak_bytes": ["min"]}
    axes.setdefault("score" if scored else "macs", []).append("max")
    return axes


def _add_front(rows: Sequence[Row], axes: Mapping[str, Sequence[Direction]]) -> None:
    known = [row for row in rows if all(row[name] is not None for name in axes)]
    sides = [(name, side) for name, both in axes.items() for side in both]
    points = [tuple(row[name] for name, _ in sides) for row in known]
    for row, on_front in zip(known, front(points, [side for _, side in sides]), strict=True):
        row["pareto"] = on_front


def _columns(records: Sequence[Record], *, measured: bool) -> list[Column]:
    """Every column, in the order of the files; a terminal picks by priority."""
    replicas = [Column("replica", "replica", "integer", 0)] if any(record.replica for record in records) else []
    return [
        Column("name", "name", "text", 0),
        Column("id", "id", "text", 90),
        *replicas,
        Column("reference", "ref", "flag", 80, write=lambda value: "R" if value else ""),
        *_axis_columns(records),
        *(Column(name, METRICS[name].label, "integer", EXACT_PRIORITY[name], METRICS[name].write) for name in EXACT),
        _metric("latency_ms", 1),
        Column("half_width", "± 95%", "number", 2, units.half_width),
        Column("q25_ms", "q25 ms", "number", 60, units.milliseconds),
        Column("q75_ms", "q75 ms", "number", 61, units.milliseconds),
        Column("ratio", "latency ratio" if measured else "MACs ratio", "number", 4, units.ratio),
        Column("ratio_half_width", "ratio ±95%", "number", 10, units.half_width),
        Column("calls", "calls", "integer", 62, units.count),
        Column("generations", "gens", "integer", 63, units.count),
        replace(_metric("memory_bytes", 30), holds="integer"),
        Column("pareto", "front", "flag", 81, write=lambda value: "*" if value else ""),
        _metric("score", 3),
        Column("status", "status", "text", 2),
        Column("reason", "reason", "text", 99),
    ]


EXACT_PRIORITY = {
    "macs": 6,
    "params": 7,
    "peak_bytes": 8,
    "acts": 40,
    "kernels": 41,
    "weight_bytes": 50,
    "flops": 70,
    "fvcore_flops": 71,
}


def _metric(name: str, priority: int) -> Column:
    return Column(name, METRICS[name].label, "number", priority, METRICS[name].write)


def _axis_columns(records: Sequence[Record]) -> list[Column]:
    paths = dict.fromkeys(path for record in records for path in record.axes)
    return [
        Column(path, path.removesuffix(".type"), _holds([record.axes.get(path) for record in records]), 20)
        for path in paths
    ]


def _holds(values: Sequence[object]) -> Holds:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "text"  # a knob that is on or off is read as a word
    return "integer" if kinds == {int} else "number" if kinds and kinds <= {int, float} else "text"


def _with_kind(column: Column, rows: Iterable[Row]) -> Column:
    kinds = {row["kind"][column.name] for row in rows if column.name in row["kind"]}
    assert not {"measured", "estimated"} <= kinds, f"{column.name} mixes measured and estimated"
    return replace(column, kind=kinds.pop()) if len(kinds) == 1 else column


def _reference_line(base: Record | None, *, measured: bool) -> list[str]:
    if base is None:
        return ["no reference: ratios are null"]
    of = "latencies, from one fit" if measured else "MACs, nothing was measured"
    return [f"R is the reference, {base.name}; ratio: of {of}"]


def _precision_lines(summaries: Mapping[Key, Summary]) -> list[str]:
    if not summaries:
        return []
    found = list(summaries.values())
    calls, generations = (
        _span([each.calls for each in found], "call"),
        _span([each.generations for each in found], "generation"),
    )
    said = [f"latency: median of {calls} in {generations}; {_interval(found)}"]
    if disturbed := sum(each.disturbed for each in found):
        blocks = sum(each.blocks for each in found)
        said.append(f"{disturbed} of {blocks} counted blocks were disturbed each time they were taken")
    return said


def _interval(found: Sequence[Summary]) -> str:
    widths = [each.half_width for each in found if each.half_width is not None]
    if not widths:
        return "no interval: one needs two generations or more"
    without = f"; {len(found) - len(widths)} have none, measured in one generation" if len(widths) < len(found) else ""
    widest = units.half_width(max(widths))
    return f"± is a 95 % interval over generations, what all share in one taken out; the widest is {widest}{without}"


def _span(values: Sequence[int], noun: str) -> str:
    low, high = min(values), max(values)
    return (f"{low:,}" if low == high else f"{low:,} to {high:,}") + f" {noun}" + ("" if high == 1 else "s")


def _memory_line(records: Iterable[Record]) -> list[str]:
    kinds = {record.memory_kind for record in records if record.memory_bytes is not None}
    return ["memory: live tensor bytes, traced; not what the process takes"] if kinds == {"traced"} else []


def _front_line(rows: Sequence[Row], axes: Mapping[str, Sequence[Direction]]) -> list[str]:
    if not any(row["pareto"] for row in rows):
        return []
    least = [METRICS[name].label.rsplit(" ", 1)[0] for name, sides in axes.items() if "min" in sides]
    most = next(name for name, sides in axes.items() if "max" in sides)
    gain = METRICS[most].label if most == "score" else "MACs (for capacity: there are no scores)"
    both = (
        "; MACs being cost and gain, only equal MACs compare" if len(axes["macs"] if most == "macs" else ()) > 1 else ""
    )
    return [f"* is on the Pareto front: least {' and '.join(least)}, most {gain}{both}"]


def _score_lines(records: Iterable[Record], scores: Mapping[str, float] | None) -> list[str]:
    known = {text for record in records for text in (record.id, record.name)}
    strangers = [name for name in scores or {} if name not in known]
    return [f"scores of no variant here: {_names(strangers)}"] if strangers else []


def _status_lines(records: Sequence[Record]) -> list[str]:
    counts = Counter(record.status for record in records)
    said = []
    if counts["failed"]:
        said.append(f"{counts['failed']} of {len(records)} failed")
    if counts["not reached"]:
        said.append(
            f"{counts['not reached']} of {len(records)} not reached: what is shown of them is of the rounds so far"
        )
    return said


def _warning_lines(records: Iterable[Record]) -> list[str]:
    """Each warning once, with whom it is about."""
    about: dict[str, list[str]] = {}
    for record in records:
        for warning in record.warnings:
            about.setdefault(warning, []).append(record.name)
    return [f"{warning} ({_names(names)})" for warning, names in about.items()]


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
