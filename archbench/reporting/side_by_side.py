"""Several runs in one table: the same variants side by side, a column a device for everything that was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archbench.comparison.of_run import JudgedRun
from archbench.metrics import EXACT
from archbench.runs.records import Key
from archbench.tables.captions import FRONT, describe_machine
from archbench.tables.table import Column, Row, Table, has_content
from archbench.text import visible

SHARED = ("name", "id", "replica", "side", "reference", *EXACT, "score")  # one for all runs, as the axes are
WORDY = ("nvidia", "amd", "intel(r)", "geforce", "tesla", "core(tm)", "apple")
ON_EACH_FRONT = "* in a run's column is on its Pareto front, * before a name on that of each run that has it"
WORDS = 2  # of a processor's name that tell it from others
REASON = Column("reason", "reason", "text", 99)


def table_of(runs: Sequence[JudgedRun]) -> Table:
    """The table of one run, or that of several."""
    return runs[0].table if len(runs) == 1 else tabulate_runs(runs)


def tabulate_runs(runs: Sequence[JudgedRun]) -> Table:
    """The runs in one table: a row a variant, matched by id and replica, with nulls where a run lacks it.

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
    caption = tuple(_caption_lines(named))
    return Table(" beside ".join(titles), (*columns, REASON), rows, caption, tuple(_distrust_lines(named, caption)))


def label_runs(runs: Sequence[JudgedRun]) -> list[str]:
    """A short name of each run, no two alike: its processor's; where that is shared its id's end beside it, at last a number."""
    short = [_name_device(run.stored_run.manifest["environment"]) for run in runs]
    ids = [visible(run.stored_run.folder.path.name) for run in runs]
    ended = [f"{name} ({run_id[-4:]})" for name, run_id in zip(short, ids, strict=True)]
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


def _own_columns(run: JudgedRun) -> list[Column]:
    """The columns in which a run says something of its own."""
    table = run.table
    others = {*SHARED, "reason", *(["status"] if run.stored_run.is_complete else [])}
    own = (column for column in table.columns if not (column.axis or column.name in others))
    return [column for column in own if column.detail or has_content(column, table.rows)]


def _start_row(row: Row) -> Row:
    """The row of all runs before any is merged into it: what they share, and nothing measured."""
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
    """Whether a variant is on the front of each run that has it; null where no run can say."""
    known = [on_front for label in labels if (on_front := row.get(f"pareto@{label}")) is not None]
    return all(known) if known else None


def _shared_columns(runs: Iterable[JudgedRun]) -> list[Column]:
    columns = {c.name: c for run in runs for c in run.table.columns if c.axis or c.name in SHARED}
    places = {name: place for place, name in enumerate(SHARED)}
    axis_place = places["reference"] + 0.5
    return sorted(columns.values(), key=lambda column: places.get(column.name, axis_place))


def _complete_row(row: Row, columns: Sequence[Column]) -> Row:
    """The row with every column's value or null and nothing else beside its marks."""
    marks = ("pareto", "status", "reason", "warnings", "kind", "replica", "reference")
    return {column.name: row.get(column.name) for column in columns} | {mark: row[mark] for mark in marks}


def _caption_lines(named: Mapping[str, JudgedRun]) -> list[str]:
    """Each run's machine and place, then the lines that all captions have, then those of one."""
    lines = [
        f"{label}: {describe_machine(run.stored_run.manifest['environment'])}, {_name_folder(run)}"
        for label, run in named.items()
    ]
    counts = Counter(line for run in named.values() for line in dict.fromkeys(run.table.caption))
    lines += [line for line, count in counts.items() if count == len(named)]
    for label, run in named.items():
        lines += [f"{label}: {line}" for line in run.table.caption if counts[line] < len(named)]
    return [line.replace(FRONT, ON_EACH_FRONT) for line in lines] + _describe_unequal(named.values())


def _name_folder(run: JudgedRun) -> str:
    """The folder of a run's spec and its own in that, which tell it from the others."""
    path = run.stored_run.folder.path
    return visible(f"{path.parent.name}/{path.name}")


def _describe_unequal(runs: Iterable[JudgedRun]) -> list[str]:
    """A line where exact counts of a variant are not the same everywhere: two versions of archbench counted them."""
    seen: dict[tuple[str, str], int] = {}
    names = []
    for run in runs:
        for row in run.table.rows:
            counts = {name: row[name] for name in EXACT if row[name] is not None}
            if any(seen.setdefault((row["id"], name), count) != count for name, count in counts.items()):
                names.append(row["name"])
    return [f"exact counts differ between the runs, the first is shown: {', '.join(names)}"] if names else []


def _distrust_lines(named: Mapping[str, JudgedRun], caption: Iterable[str]) -> list[str]:
    """The lines of the caption that warn, as they stand in it."""
    warn = {text for label, run in named.items() for line in run.table.distrust for text in (line, f"{label}: {line}")}
    return [line for line in caption if line in warn or line.startswith("exact counts differ")]
