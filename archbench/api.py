"""The door for Python: a run is begun or read, and is one object with its records, table, verdicts and review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from archbench.comparison.gate import Limit
from archbench.comparison.judgement import NetworkJudgement
from archbench.comparison.of_run import JudgedRun, judge_run
from archbench.design.spec.spec import Spec
from archbench.measure.experiment.recorder import SILENT, RunListener
from archbench.measure.supervisor.interruption import StopRequest
from archbench.pipeline import run_spec
from archbench.reporting.page.review import Review, build_review
from archbench.runs.records import Record
from archbench.runs.run import StoredRun, read_stored_run
from archbench.space.price_space import open_spec
from archbench.tables.table import Column, Holds, Table, choose_telling, has_content

MOST_ROWS = 40  # of a long table, in a notebook
MOST_COLUMNS = 20  # the priority up to which a column is shown there
DTYPES: dict[Holds, str] = {"integer": "Int64", "number": "Float64", "flag": "boolean", "text": "object"}


@dataclass(frozen=True, repr=False)
class Run:
    """A finished or interrupted run: its records, its table, in a comparison its verdicts, and its design review."""

    judged: JudgedRun

    @property
    def stored_run(self) -> StoredRun:
        return self.judged.stored_run

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.stored_run.folder.path

    @property
    def records(self) -> tuple[Record, ...]:
        """One a (variant, replica), in the spec's order."""
        return self.stored_run.records

    @property
    def verdicts(self) -> dict[str, NetworkJudgement]:
        """In a comparison, what is said of each pair; nothing in another run."""
        return self.judged.verdicts

    def table(self) -> pd.DataFrame:
        """The comparison table as a pandas DataFrame: base units, integers as Int64, missing as null."""
        return build_frame(self.judged.table)

    def review(self) -> Review:
        """The design review, as the page shows it."""
        return build_review(self.judged)

    def __repr__(self) -> str:
        counts = Counter(record.status for record in self.records)
        variants = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"<Run {self.stored_run.name!r} on {self.stored_run.device}: {variants}\n {self.stored_run.place}>"

    def _repr_html_(self) -> str:
        """The comparison table for a notebook: the columns a person reads first, what tells most of many rows."""
        table = self.judged.table
        rows = choose_telling(table.rows, MOST_ROWS)
        columns = [c for c in table.columns if c.priority <= MOST_COLUMNS and has_content(c, rows)]
        head = "".join(f"<th>{escape(column.label)}</th>" for column in columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(column.format_cell(row))}</td>' for column in columns)}</tr>" for row in rows
        )
        more = f"<p>{len(rows)} of {len(table.rows)} variants</p>" if len(rows) < len(table.rows) else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def run(
    spec: Spec | str | Path,
    results: str | Path = "results",
    *,
    against: Spec | str | Path | None = None,
    limits: Sequence[Limit] = (),
    plugins: Sequence[str] = (),
    new: bool = False,
    listener: RunListener = SILENT,
    stop: StopRequest | None = None,
) -> Run:
    """Price, measure and store the variants of a spec, by its path, by a preset's name or as it was read; see `run_spec`."""
    base = None if against is None else open_spec(against)
    stored = run_spec(
        open_spec(spec),
        results,
        against=base,
        limits=limits,
        plugins=plugins,
        new=new,
        listener=listener,
        stop=stop,
    )
    return Run(judge_run(stored))


def read_run(run: str | Path, results: str | Path = "results") -> Run:
    """A stored run by its folder, `SPEC/@latest` or id. Raises ResultsError with the way out."""
    return Run(judge_run(read_stored_run(run, results)))


def build_frame(table: Table) -> pd.DataFrame:
    """One row a variant, base units. Counts stay integers (Int64) where some are missing, which is `pd.NA`.

    `frame.attrs` holds `title`, `caption` and `kind`, the kind of each column's numbers where they share one.
    """
    columns = {column.name: _build_series(column, table) for column in table.columns}
    found = pd.DataFrame(columns, index=pd.RangeIndex(len(table.rows)))
    kinds = {column.name: column.kind for column in table.columns if column.kind}
    found.attrs = {"title": table.title, "caption": list(table.caption), "kind": kinds}
    return found


def _build_series(column: Column, table: Table) -> pd.Series:
    return pd.Series([row.get(column.name) for row in table.rows], dtype=DTYPES[column.holds])
