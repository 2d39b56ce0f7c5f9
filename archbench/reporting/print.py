"""What a run, several of them, or a comparison prints on stdout, in each format."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from archbench.comparison.cases import ENDS, Suite, make_suites
from archbench.comparison.of_run import JudgedRun, mark_run
from archbench.comparison.stored import Comparison
from archbench.reporting.ci import github
from archbench.reporting.ci.junit import write_junit as write_junit
from archbench.reporting.formats import formats, markdown, terminal
from archbench.reporting.page import html
from archbench.reporting.page.review import Review
from archbench.reporting.page.several_runs import tabulate_runs
from archbench.tables.table import Table
from archbench.text import visible

EVERYTHING = sys.maxsize  # of a log nothing need be left out


def print_runs(runs: Sequence[JudgedRun], form: str, page: Review) -> None:
    """Print one run as `print_run` does, with its records, or the table of several; html is the whole `page`."""
    if form == "html":
        click.echo(html.render_html(page), nl=False)
    elif len(runs) == 1:
        print_run(runs[0], form, records=runs[0].stored.records_json)
    else:
        formats.print_in_format(tabulate_runs(runs), form, runs=[run.stored.place for run in runs])


def table_of(runs: Sequence[JudgedRun]) -> Table:
    """The table of one run, or that of several."""
    return runs[0].table if len(runs) == 1 else tabulate_runs(runs)


def print_outcome(run: JudgedRun, form: str, *, junit: str | None, on_github: bool) -> None:
    """Say what a run that ended came to: to CI what it is held to, on stdout all of it, and where it is kept."""
    report_to_ci(make_suites(run), junit=junit, on_github=on_github, aside=form == "json")
    print_run(run, form, whole=on_github)
    click.echo(f"kept in {run.stored.folder.path}", err=True)


def print_run(run: JudgedRun, form: str, *, whole: bool = False, **extra: Any) -> None:
    """Print a run's table, in a comparison its verdicts, what is over budget; in JSON all are in one object.

    Markdown is one document, short enough for a comment if it is not to be `whole`; CSV is the run's table alone.
    """
    beside = {name: table for name, table in (("verdicts", run.verdict_table), ("budgets", run.budget_table)) if table}
    if form == "json":
        extra |= {name: list(table.rows) for name, table in beside.items()}
        formats.print_in_format(run.table, form, run=run.stored.place, **extra)
    elif form == "markdown":
        limit = EVERYTHING if whole else markdown.COMMENT
        click.echo(markdown.render_markdown_tables(run.table, list(beside.values()), limit=limit), nl=False)
    else:
        formats.print_in_format(run.table, form)
        for table in beside.values():
            _print_beside(table, form)


def report_to_ci(suites: Sequence[Suite], *, junit: str | None, on_github: bool, aside: bool) -> None:
    """A file of JUnit XML where one is asked for; GitHub's annotations and its summary, `aside` on stderr."""
    if junit:
        write_junit(suites, Path(junit))
    if not on_github:
        return
    for line in github.format_annotations(suites):
        click.echo(line, err=aside)
    if not github.write_step_summary(suites):
        click.echo("GITHUB_STEP_SUMMARY is not set: no summary is written", err=True)


def _print_beside(table: Table, form: str) -> None:
    """Print a smaller table after the run's. No program reads two CSVs in one: of that there is a line on stderr."""
    if form == "csv":
        click.echo(f"{table.caption[0]}; csv has one table, --format json all", err=True)
    elif table.rows:
        formats.print_in_format(table, form)
        _print_failing_rest(table, form)
    else:
        click.echo(table.caption[0], err=form != "terminal")


def _print_failing_rest(table: Table, form: str) -> None:
    """On a terminal that cuts a long table, a line for what fails all the same."""
    for row in table.rows[terminal.MOST_ROWS :] if form == "terminal" else ():
        word = row.get("verdict") or row.get("word")
        if ENDS[str(word)] == "fails":
            click.echo(f"{word}: {visible(row['name'])}")


def print_comparison(found: Comparison, form: str, *, whole: bool) -> None:
    """Print the verdicts; in JSON they stand beside the rows of the new run's table."""
    verdicts = found.judgement.table
    if form == "json":
        sides = {"base": found.base.stored.place, "new": found.new.stored.place}
        beside = {"verdict": found.word, "verdicts": list(verdicts.rows), "said": list(verdicts.caption)}
        formats.print_in_format(mark_run(found.new), form, **sides, **beside)
    elif form == "markdown" and whole:
        click.echo(markdown.render_markdown(verdicts, limit=EVERYTHING), nl=False)
    else:
        formats.print_in_format(verdicts, form)
        _print_failing_rest(verdicts, form)
