"""Several runs in one table: the same variants side by side, a column a device for everything that was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archbench.comparison.of_run import JudgedRun
from archbench.metrics import EXACT
from archbench.reporting.page.charts import Chart, draw_scatter
from archbench.reporting.page.decision import find_line, find_rungs
from archbench.reporting.page.palette import MUTED, SERIES
from archbench.reporting.page.provenance import format_start, list_run_facts
from archbench.reporting.page.review import Review, answer_fastest, list_failures, warn_of_distrust
from archbench.reporting.page.tables import WordTable, build_ladder_table
from archbench.reporting.page.wording import Facts
from archbench.runs.records import Key
from archbench.statistics.ties import Ties
from archbench.tables.captions import FRONT, describe_machine
from archbench.tables.run_table import find_run_ties
from archbench.tables.table import Column, Row, Table, deciding_rows, has_content
from archbench.text import visible

SHARED = ("name", "id", "replica", "side", "reference", *EXACT, "score")  # one for all runs, as the axes are
WORDY = ("nvidia", "amd", "intel(r)", "geforce", "tesla", "core(tm)", "apple")
ON_EACH_FRONT = "* in a run's column is on its Pareto front, * before a name on that of each run that has it"
WORDS = 2  # of a processor's name that tell it from others


def tabulate_runs(runs: Sequence[JudgedRun]) -> Table:
    """One row a variant, matched by id and replica; a variant that a run lacks has nulls there.

    What was measured has a column a run, named `latency_ms@DEVICE`; exact counts are the first run's that has them.
    """
    named = dict(zip(label_runs(runs), runs, strict=True))
    own = [
        replace(column, name=f"{column.name}@{label}", label=f"{column.label}, {label}", run=label)
        for label, run in named.items()
        for column in _own_columns(run)
    ]
    found: dict[Key, Row] = {}
    for label, run in named.items():
        for row in run.table.rows:
            _merge_row(found.setdefault((row["id"], row["replica"]), _start_row(row)), row, label)
    for row in found.values():
        row["pareto"] = _on_every_front(row, named)
    titles = dict.fromkeys(run.table.title for run in runs)
    columns = [*_shared_columns(runs), *own]
    rows = tuple(_complete_row(row, columns) for row in found.values())
    return Table(
        " beside ".join(titles), (*columns, REASON), rows, tuple(_caption_lines(named)), tuple(_distrust_lines(named))
    )


REASON = Column("reason", "reason", "text", 99)


def label_runs(runs: Sequence[JudgedRun]) -> list[str]:
    """A short name a run, no two alike: its processor's, where that is shared with its id's end, at last with a number."""
    ids = [visible(run.stored.folder.path.name) for run in runs]
    short = [_name_device(run.stored.manifest["environment"]) for run in runs]
    ended = [f"{name} ({each[-4:]})" for name, each in zip(short, ids, strict=True)]
    counted = [f"{name} {number}" for number, name in enumerate(ended, 1)]
    found = short
    for longer in (ended, counted):
        counts = Counter(found)
        found = [one if counts[one] == 1 else other for one, other in zip(found, longer, strict=True)]
    return found


def _name_device(environment: Mapping[str, Any]) -> str:
    if environment["device"] == "none":
        return "priced"
    gpu = environment.get("gpu")
    name = gpu["name"] if gpu else environment["cpu"]
    words = [word for word in str(name).split() if word.lower() not in WORDY]
    return visible(" ".join(words[:WORDS]) or str(environment["device"]))


def _shared_columns(runs: Iterable[JudgedRun]) -> list[Column]:
    columns = {c.name: c for run in runs for c in run.table.columns if c.axis or c.name in SHARED}
    places = {name: place for place, name in enumerate(SHARED)}
    axis_place = places["reference"] + 0.5
    return sorted(columns.values(), key=lambda column: places.get(column.name, axis_place))


def _own_columns(run: JudgedRun) -> list[Column]:
    """What a run has to say for itself."""
    table = run.table
    others = {*SHARED, "reason", *(["status"] if run.stored.complete else [])}
    own = (column for column in table.columns if not (column.axis or column.name in others))
    return [column for column in own if column.detail or has_content(column, table.rows)]


def _start_row(row: Row) -> Row:
    """A row of all runs as it begins: what they share, and nothing measured."""
    marks: Row = {"pareto": None, "status": "", "reason": None, "warnings": [], "kind": {}}
    return {name: value for name, value in row.items() if name not in row["kind"] or name in EXACT} | marks


def _merge_row(whole: Row, row: Row, label: str) -> None:
    """Add one run's row to the row of all."""
    for name, value in row.items():
        if name in EXACT or name == "score":
            if whole.get(name) is None:
                whole[name] = value
        elif name not in ("kind", "warnings", "reason", "axes"):
            whole[f"{name}@{label}"] = value
    whole["kind"] |= {name if name in EXACT else f"{name}@{label}": kind for name, kind in row["kind"].items()}
    whole["warnings"] += [f"{label}: {warning}" for warning in row["warnings"]]
    whole["status"] = "failed" if "failed" in (whole["status"], row["status"]) else row["status"]
    if row["reason"]:
        whole["reason"] = "; ".join(filter(None, [whole["reason"], f"{label}: {row['reason']}"]))


def _on_every_front(row: Row, labels: Iterable[str]) -> bool | None:
    """Whether it is on the front of each run that has it; null where no run can say."""
    told = [row.get(f"pareto@{label}") for label in labels]
    known = [each for each in told if each is not None]
    return all(known) if known else None


def _complete_row(row: Row, columns: Sequence[Column]) -> Row:
    """The row with every column's value or null and nothing else beside its marks."""
    marks = ("pareto", "status", "reason", "warnings", "kind", "replica", "reference")
    return {column.name: row.get(column.name) for column in columns} | {mark: row[mark] for mark in marks}


def _caption_lines(named: Mapping[str, JudgedRun]) -> list[str]:
    """Each run's machine and place, then what is said of all, then what of one."""
    said = [
        f"{label}: {describe_machine(run.stored.manifest['environment'])}, {_name_folder(run)}"
        for label, run in named.items()
    ]
    counts = Counter(line for run in named.values() for line in dict.fromkeys(run.table.caption))
    said += [line for line, count in counts.items() if count == len(named)]
    for label, run in named.items():
        said += [f"{label}: {line}" for line in run.table.caption if counts[line] < len(named)]
    return [line.replace(FRONT, ON_EACH_FRONT) for line in said] + _describe_unequal(named.values())


def _name_folder(run: JudgedRun) -> str:
    """Which run it is: its spec's folder and its own."""
    path = run.stored.folder.path
    return visible(f"{path.parent.name}/{path.name}")


def _describe_unequal(runs: Iterable[JudgedRun]) -> list[str]:
    """A variant's exact counts are the same everywhere, unless two versions of archbench counted them."""
    seen: dict[tuple[str, str], int] = {}
    names = []
    for run in runs:
        for row in run.table.rows:
            counts = {name: row[name] for name in EXACT if row[name] is not None}
            if any(seen.setdefault((row["id"], name), count) != count for name, count in counts.items()):
                names.append(row["name"])
    return [f"exact counts differ between the runs, the first is shown: {', '.join(names)}"] if names else []


def _distrust_lines(named: Mapping[str, JudgedRun]) -> list[str]:
    """The lines of the caption that warn, as they stand in it."""
    warn = {line for run in named.values() for line in run.table.distrust}
    own = {f"{label}: {line}" for label, run in named.items() for line in run.table.distrust}
    return [line for line in _caption_lines(named) if line in warn | own or line.startswith("exact counts differ")]


def review_together(runs: Sequence[JudgedRun]) -> Review:
    """The page of several runs: who is fastest on which device, latency against MACs by device, the table of all."""
    named = dict(zip(label_runs(runs), runs, strict=True))
    table = tabulate_runs(runs)
    ties = {label: find_run_ties(run.stored) for label, run in named.items()}
    count = len({row["id"] for row in table.rows})
    return Review(
        title=table.title,
        question=f"What do {count:,} variants cost on {len(runs)} devices or in as many runs?",
        answers=(
            *(answer for label, run in named.items() for answer in _answer_fastest(label, run, ties[label])),
            *warn_of_distrust(table.distrust),
        ),
        word_tables=tuple(grid for label, run in named.items() for grid in _build_ladders(label, run, ties[label])),
        charts=tuple(_draw_charts(named)),
        table=table,
        failures=tuple(failure for label, run in named.items() for failure in _list_failures(label, run)),
        measured_on=tuple(
            (f"{label}: {format_start(run.stored.manifest)}", list_run_facts(run.stored.manifest, run.stored.records))
            for label, run in named.items()
        ),
        precision=tuple(said for said in table.caption if said not in table.distrust),
        distrust=table.distrust,
    )


def _answer_fastest(label: str, run: JudgedRun, ties: Ties) -> Facts:
    return tuple((f"{title} on {label}", said) for title, said in answer_fastest(deciding_rows(run.table.rows), ties))


def _build_ladders(label: str, run: JudgedRun, ties: Ties) -> tuple[WordTable, ...]:
    rungs = find_rungs(deciding_rows(run.table.rows), ties)
    return (replace(build_ladder_table(rungs), title=f"{build_ladder_table(rungs).title}, {label}"),) if rungs else ()


def _list_failures(label: str, run: JudgedRun) -> Facts:
    return tuple((name, f"{label}: {reason}") for name, reason in list_failures(run.table.rows))


DEVICE = Column("device", "device", "text", 0, axis=True)
DRAWN = (  # name, title, x, y, the gain of what is joined, the end of it that is better, what is said of the line
    ("latency", "Latency against MACs", "macs", "latency_ms", "macs", "max", "most MACs for least latency"),
    ("score", "Score against latency", "latency_ms", "score", "score", "max", "most score for least latency"),
    (
        "memory",
        "Memory against latency",
        "latency_ms",
        "memory_bytes",
        "memory_bytes",
        "min",
        "nothing is less in both",
    ),
)


def _draw_charts(named: Mapping[str, JudgedRun]) -> Iterable[Chart]:
    """Every run's rows in one chart, told apart by colour, a line and a reference a run; the first axis by shape."""
    views = {label: run.table for label, run in named.items()}
    rows = tuple(row | {DEVICE.name: label} for label, view in views.items() for row in view.rows)
    columns = {column.name: column for view in views.values() for column in view.columns}
    table = Table("", (DEVICE, *columns.values()), rows, ())
    scored = any(row["score"] is not None for row in rows)
    for name, title, x, y, gain, side, said in DRAWN:
        joined = [] if scored and gain == "macs" else _find_lines(views.values(), gain, side)
        if (spec := draw_scatter(table, x, y, lines=joined)) is not None:
            yield Chart(name, title, "; ".join(_describe_marks(rows, joined, said)), spec)


def _find_lines(views: Iterable[Table], gain: str, side: str) -> list[tuple[str, list[Row]]]:
    """The line of each run's best in the colour of its points, of which there are so many."""
    own = [find_line(deciding_rows(view.rows), "latency_ms", gain, gain_side=side) for view in views]
    colors = SERIES if len(own) <= len(SERIES) else [MUTED] * len(own)
    return list(zip(colors, own, strict=False))


def _describe_marks(rows: Iterable[Row], lines: Iterable[tuple[str, Sequence[Row]]], said: str) -> Iterable[str]:
    """What a chart's marks are, as far as there are any."""
    yield "bars are 95 % intervals" + (", a ring is a run's reference" if any(row["reference"] for row in rows) else "")
    if any(len(joined) > 1 for _, joined in lines):
        yield f"dashed: {said}, a line a run"
