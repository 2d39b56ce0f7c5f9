"""The comparison table: one row a record, every number in base units with its kind, and the caption of the whole.

Formats (those of `formats`, `parquet_file`, `page`, `frame`) write this table; none of them computes anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from archbench import units
from archbench.metrics import EXACT, METRICS, Direction, Kind
from archbench.runs.records import UNFINISHED, Key, Record
from archbench.space.selection import find_front
from archbench.statistics.times import RunTimes
from archbench.tables import captions
from archbench.tables.rows import Row as Row  # a table is of rows, so whoever reads one finds them here
from archbench.tables.rows import add_macs_ratios, make_row, memory_name

Holds = Literal["integer", "number", "flag", "text"]

MARKS = ("reference", "pareto")  # flags that a format may show as a mark of the row
MAIN = 31  # the priority up to which a column is worth its width on a page or on paper


@dataclass(frozen=True)
class Column:
    """One quantity of the table. `name` is its key in a row; `label` heads what people read, with the unit `format` uses.

    `kind` is that of all its numbers, null where they differ or have none. `priority`: the lower, the sooner a narrow
    terminal shows it; a `detail` is for programs, which read all, and not for people; an `axis` is one of the spec's.
    """

    name: str
    label: str
    holds: Holds
    priority: int
    format: Callable[[Any], str] = units.format_plain
    kind: Kind | None = None
    detail: bool = False
    axis: bool = False
    run: str = ""  # of several runs, what the one is called whose it is; the label ends with it after a comma
    of: str = ""  # where each row's number is of a metric of its own, the column that names it, to be written as that

    @property
    def is_numeric(self) -> bool:
        return self.holds in ("integer", "number")

    def format_cell(self, row: Row) -> str:
        """The cell as a person reads it; `-` where there is nothing. Not escaped."""
        value = row.get(self.name)
        write = METRICS[row[self.of]].format if self.of else self.format
        return units.MISSING if value is None else write(value)


@dataclass(frozen=True)
class Table:
    """Rows in base units (counts, bytes, milliseconds, shares), null where a number is missing.

    A row also has `kind`, metric -> exact | traced | measured, and `warnings`; neither is a column. `distrust` are the
    lines of the caption that warn.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: tuple[str, ...]
    distrust: tuple[str, ...] = ()


SIDE = Column("side", "side", "text", 82)  # of a comparison: new, or the base that is shown beside it
OUTSIDE = Column("outside", "outside", "flag", 83, format=lambda value: "outside" if value else "")  # the constraints


@dataclass(frozen=True)
class SpaceFront:
    """A front that was found among more than the table's rows: which rows are on it, and what it is over."""

    ids: frozenset[str]
    over: str


def build_table(
    records: Sequence[Record],
    times: RunTimes,
    *,
    reference: Key | None,
    scores: Mapping[str, float] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    found: SpaceFront | None = None,
    spared: bool = False,
) -> Table:
    """The table of `records`, in their order. `scores` are by name or id; `notes` end the caption; the reference was
    `spared` where the constraints refuse it, and is context then.

    `ratio` is of latencies where anything was measured, else of MACs. `pareto` is the front of latency (MACs where
    nothing was measured) and peak bytes, least, against score (MACs where there are no scores), most; null for a row that
    lacks one of them and for what is context; where a front was `found` among more rows it is that one. A failed
    row keeps its exact counts and has no times.
    """
    times = times.select({record.key for record in records if record.status != "failed"})
    measured = bool(times.latencies)
    base = next((record for record in records if record.key == reference), None)
    rows = [make_row(record, times, scores or {}) for record in records]
    if spared:
        rows = [row | {OUTSIDE.name: row["reference"]} for row in rows]
    if not measured:
        add_macs_ratios(rows, base)
    axes = _front_axes(measured=measured, scored=scores is not None)
    _add_front(deciding_rows(rows), axes, found)
    caption = [
        *captions.reference_line(base, measured=measured, spared=spared),
        *captions.latency_lines(times),
        *captions.disturbed_line(times),
        *captions.target_line(times),
        *captions.rank_line(rows),
        *captions.unranked_line(deciding_rows(rows)),
        *captions.beside_lines(times),
        *captions.host_bound_line(rows),
        *captions.memory_line(records),
        *(captions.front_line(rows, axes) if found is None else captions.found_front_line(rows, found.over)),
        *captions.score_lines(records, scores),
        *captions.status_lines(records, rows),
        *captions.warning_lines(records),
        *notes,
    ]
    columns = [_add_kind(column, rows) for column in _make_columns(records, rows, times)]
    return Table(title, tuple(columns), tuple(rows), tuple(caption), distrust_lines(records, rows, times))


def distrust_lines(records: Sequence[Record], rows: Sequence[Row], times: RunTimes) -> tuple[str, ...]:
    """The lines of the caption that warn."""
    return (
        *captions.disturbed_line(times),
        *captions.target_line(times),
        *captions.unranked_line(deciding_rows(rows)),
        *captions.host_bound_line(rows),
        *captions.status_lines(records, rows),
        *captions.warning_lines(records),
    )


def deciding_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows to decide among: bases of a comparison and a reference that the constraints refuse are context."""
    return [row for row in rows if row.get("side") != "base" and not row.get(OUTSIDE.name)]


def has_content(column: Column, rows: Iterable[Row]) -> bool:
    """Whether a column is for people, and has something in a row."""
    return not column.detail and any(row.get(column.name) not in (None, False) for row in rows)


def choose_telling(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many rows, in their order: the front, the reference and what failed before all others."""

    def tells(row: Row) -> bool:
        return bool(row["pareto"] or row["reference"] or row["status"] in UNFINISHED)

    ranked = sorted(range(len(rows)), key=lambda place: not tells(rows[place]))
    return [rows[place] for place in sorted(ranked[:most])]


def table_as_json(table: Table, **extra: Any) -> dict[str, Any]:
    """The table as plain data: `variants` is the list of rows, beside it whatever the command adds."""
    return {"title": table.title, **extra, "variants": list(table.rows), "caption": list(table.caption)}


def _front_axes(*, measured: bool, scored: bool) -> dict[str, list[Direction]]:
    """Metric -> directions. MACs stand on both sides where nothing was measured and nothing scored."""
    axes: dict[str, list[Direction]] = {"latency_ms" if measured else "macs": ["min"], "peak_bytes": ["min"]}
    axes.setdefault("score" if scored else "macs", []).append("max")
    return axes


def _add_front(rows: Sequence[Row], axes: Mapping[str, Sequence[Direction]], found: SpaceFront | None) -> None:
    if found is not None:
        for row in rows:
            row["pareto"] = row["id"] in found.ids
        return
    known = [row for row in rows if row["status"] != "failed" and all(row[name] is not None for name in axes)]
    sides = [(name, side) for name, both in axes.items() for side in both]
    points = [tuple(row[name] for name, _ in sides) for row in known]
    for row, on_front in zip(known, find_front(points, [side for _, side in sides]), strict=True):
        row["pareto"] = on_front


def _make_columns(records: Sequence[Record], rows: Sequence[Row], times: RunTimes) -> list[Column]:
    """Every column, in the order of the files; a terminal picks by priority."""
    replicas = [Column("replica", "replica", "integer", 0)] if any(record.replica for record in records) else []
    sides = [SIDE] if any(record.side for record in records) else []
    sides += [OUTSIDE] if any(row.get(OUTSIDE.name) for row in rows) else []
    return [
        Column("name", "name", "text", 0),
        Column("id", "id", "text", 90),
        *replicas,
        *sides,
        Column("reference", "ref", "flag", 80, format=lambda value: "R" if value else ""),
        *_axis_columns(records),
        *(_metric_column(name, EXACT_PRIORITY[name], "integer") for name in EXACT),
        *_latency_columns(rows, measured=bool(times.latencies)),
        *_beside_columns(times),
        Column("calls", "calls", "integer", 62, units.format_count),
        Column("generations", "gens", "integer", 63, units.format_count),
        _metric_column("memory_bytes", 30, "integer"),
        *_memory_columns(records),
        Column("pareto", "front", "flag", 81, format=lambda value: "*" if value else ""),
        _metric_column("score", 5),
        Column("status", "status", "text", 2),
        Column("reason", "reason", "text", 99),
    ]


def _latency_columns(rows: Sequence[Row], *, measured: bool) -> list[Column]:
    return [
        _metric_column("latency_ms", 1),
        _metric_column("half_width", 2),
        Column("q25_ms", "q25 ms", "number", 60, units.format_milliseconds),
        Column("q75_ms", "q75 ms", "number", 61, units.format_milliseconds),
        Column("ratio", "latency ratio" if measured else "MACs ratio", "number", 3, units.format_ratio),
        Column("ratio_half_width", "ratio ±95%", "number", 10, units.format_half_width),
        replace(_metric_column("rank", 4, "integer"), format=_write_rank(rows)),
    ]


def _write_rank(rows: Iterable[Row]) -> Callable[[int], str]:
    """A rank as it is printed: `2`, or `2=` where others share it."""
    counts = Counter(row["rank"] for row in rows)
    return lambda rank: f"{rank}=" if counts[rank] > 1 else str(rank)


def _beside_columns(times: RunTimes) -> list[Column]:
    """Columns of the other quantities and of what follows from them; the latency's own is not shown twice."""
    own = (f"{times.quantity}_ms", f"{times.quantity}_half_width")
    columns = [
        _metric_column("step_ms", 11),
        _metric_column("step_half_width", 14),
        _metric_column("device_ms", 12),
        _metric_column("device_half_width", 32),
        _metric_column("host_bound", 6, "flag"),
        _metric_column("throughput", 13),
        _metric_column("cold_ms", 33),
        _metric_column("energy_mj", 16),
    ]
    return [column for column in columns if column.name not in own]


def _memory_columns(records: Iterable[Record]) -> list[Column]:
    """Columns of the devices' own memory figures, for programs to read."""
    told = dict.fromkeys(name for record in records for name in record.memory)
    return [Column(memory_name(name), memory_name(name), "integer", 100, detail=True) for name in told]


EXACT_PRIORITY = {
    "macs": 7,
    "params": 8,
    "peak_bytes": 9,
    "acts": 40,
    "kernels": 41,
    "weight_bytes": 50,
    "flops": 70,
    "fvcore_flops": 71,
}


def _metric_column(name: str, priority: int, holds: Holds = "number") -> Column:
    return Column(name, METRICS[name].label, holds, priority, METRICS[name].format)


def _axis_columns(records: Sequence[Record]) -> list[Column]:
    paths = dict.fromkeys(path for record in records for path in record.axes)
    return [
        Column(
            path, path.removesuffix(".type"), _value_kind([record.axes.get(path) for record in records]), 20, axis=True
        )
        for path in paths
    ]


def _value_kind(values: Sequence[object]) -> Holds:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "text"  # a knob that is on or off is read as a word
    return "integer" if kinds == {int} else "number" if kinds and kinds <= {int, float} else "text"


def _add_kind(column: Column, rows: Iterable[Row]) -> Column:
    kinds = {row["kind"][column.name] for row in rows if column.name in row["kind"]}
    assert not {"measured", "estimated"} <= kinds, f"{column.name} mixes measured and estimated"
    return replace(column, kind=kinds.pop()) if len(kinds) == 1 else column
