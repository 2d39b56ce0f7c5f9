"""The printing of a run, several of them, or a comparison on stdout, in each format."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from archbench.comparison.cases import ENDS, make_suites
from archbench.comparison.of_run import JudgedRun, mark_run
from archbench.reporting.ci import report_to_ci
from archbench.reporting.formats.markdown import COMMENT, render_markdown, render_markdown_tables
from archbench.reporting.formats.terminal import MOST_ROWS
from archbench.reporting.formats.text_formats import print_in_format
from archbench.reporting.side_by_side import table_of
from archbench.tables.table import Table
from archbench.text import visible

if TYPE_CHECKING:
    from archbench.comparison.stored import Comparison  # compares runs, which the printing of one needs not

EVERYTHING = sys.maxsize  # of a log nothing need be left out


def print_runs(runs: Sequence[JudgedRun], form: str) -> None:
    """Print one run as `print_run` does, with its records, or the table of several."""
    if len(runs) == 1:
        print_run(runs[0], form, records=runs[0].stored_run.records_json)
    else:
        print_in_format(table_of(runs), form, runs=[run.stored_run.place for run in runs])


def print_outcome(run: JudgedRun, form: str, *, junit: str | None, on_github: bool) -> None:
    """Say how a run ended: to CI how it stands with what it is held to, on stdout all of it, and the folder it is kept in."""
    report_to_ci(make_suites(run), junit=junit, on_github=on_github, aside=form == "json")
    print_run(run, form, whole=on_github)
    click.echo(f"kept in {run.stored_run.folder.path}", err=True)


def print_run(run: JudgedRun, form: str, *, whole: bool = False, **extra: Any) -> None:
    """Print a run's table, in a comparison its verdicts, and what is over budget; in JSON all are in one object.

    Markdown is one document, short enough for a comment if it is not to be `whole`; CSV is the run's table alone.
    """
    beside = {name: table for name, table in (("verdicts", run.verdict_table), ("budgets", run.budget_table)) if table}
    if form == "json":
        extra |= {name: list(table.rows) for name, table in beside.items()}
        print_in_format(run.table, form, run=run.stored_run.place, **extra)
    elif form == "markdown":
        limit = EVERYTHING if whole else COMMENT
        click.echo(render_markdown_tables(run.table, list(beside.values()), limit=limit), nl=False)
    else:
        print_in_format(run.table, form)
        for table in beside.values():
            _print_beside(table, form)


def _print_beside(table: Table, form: str) -> None:
    """Print a smaller table after the run's. No program reads two CSVs in one: of that there is a line on stderr."""
    if form == "csv":
        click.echo(f"{table.caption[0]}; csv has one table, --format json all", err=True)
    elif table.rows:
        print_in_format(table, form)
        _print_failing_rest(table, form)
    else:
        click.echo(table.caption[0], err=form != "terminal")


def _print_failing_rest(table: Table, form: str) -> None:
    """Print a line for each row that fails below the end of a table which a terminal cuts."""
    for row in table.rows[MOST_ROWS:] if form == "terminal" else ():
        word = row.get("verdict") or row.get("word")
        if ENDS[str(word)] == "fails":
            click.echo(f"{word}: {visible(row['name'])}")


def print_comparison(found: Comparison, form: str, *, whole: bool) -> None:
    """Print a comparison's verdicts; in JSON they stand beside the rows of the new run's table."""
    verdicts = found.judgement.table
    if form == "json":
        sides = {"base": found.base.stored_run.place, "new": found.new.stored_run.place}
        beside = {"verdict": found.word, "verdicts": list(verdicts.rows), "said": list(verdicts.caption)}
        print_in_format(mark_run(found.new), form, **sides, **beside)
    elif form == "markdown" and whole:
        click.echo(render_markdown(verdicts, limit=EVERYTHING), nl=False)
    else:
        print_in_format(verdicts, form)
        _print_failing_rest(verdicts, form)
