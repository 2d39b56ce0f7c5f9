"""What a run, several of them, or a comparison prints on stdout, in each format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from archbench.reporting import formats, github, page
from archbench.reporting.compare import Comparison
from archbench.reporting.comparison import Judgement
from archbench.reporting.junit import write as write_junit
from archbench.reporting.review import Review
from archbench.reporting.runs import Run
from archbench.reporting.tables import Table
from archbench.reporting.together import review_together, together


def show_runs(runs: Sequence[Run], form: str) -> None:
    """Print one run as `show_run` does, with its records, or the table of several; html is the whole page."""
    if form == "html":
        click.echo(page.render(review_of(runs)), nl=False)
    elif len(runs) == 1:
        show_run(runs[0], form, records=runs[0].records_json)
    else:
        formats.show(together(runs), form, runs=[str(run.folder.path) for run in runs])


def table_of(runs: Sequence[Run]) -> Table:
    """The table of one run, or that of several."""
    return runs[0].view if len(runs) == 1 else together(runs)


def review_of(runs: Sequence[Run]) -> Review:
    """What the page of one run shows, or that of several."""
    return runs[0].review if len(runs) == 1 else review_together(runs)


def tell_run(run: Run, form: str, *, junit: str | None, on_github: bool) -> None:
    """Say what a run that ended came to: to CI, where it is a comparison, on stdout, and where it is kept."""
    if run.judgement:
        tell_ci(run.judgement, junit=junit, on_github=on_github, aside=form == "json")
    show_run(run, form)
    click.echo(f"kept in {run.folder.path}", err=True)


def show_run(run: Run, form: str, **extra: Any) -> None:
    """Print a run's table, in a comparison its verdicts, what is over budget; in JSON all are in one object."""
    verdicts, budgets = run.verdict_view, run.budget_view
    if form == "json":
        beside = {"verdicts": verdicts, "budgets": budgets}
        extra |= {name: list(table.rows) for name, table in beside.items() if table}
        formats.show(run.view, form, run=str(run.folder.path), **extra)
        return
    formats.show(run.view, form)
    if verdicts:
        formats.show(verdicts, form)
    if budgets:
        _show_budgets(budgets, form)


def tell_ci(judgement: Judgement, *, junit: str | None, on_github: bool, aside: bool) -> None:
    """A file of JUnit XML where one is asked for; GitHub's annotations and its summary, `aside` on stderr."""
    if junit:
        write_junit(judgement, Path(junit))
    if not on_github:
        return
    for line in github.commands(judgement):
        click.echo(line, err=aside)
    if not github.summarise(judgement):
        click.echo("GITHUB_STEP_SUMMARY is not set: no summary is written", err=True)


def _show_budgets(table: Table, form: str) -> None:
    """Print what is over budget, or that nothing is; beside a table for programs only that, on stderr."""
    for_people = form in ("terminal", "markdown")
    if table.rows and for_people:
        formats.show(table, form)
    else:
        click.echo(table.caption[0], err=not for_people)


def show_comparison(found: Comparison, form: str) -> None:
    """Print the verdicts; in JSON they stand beside the rows of the new run's table."""
    verdicts = found.judgement.view
    if form != "json":
        formats.show(verdicts, form)
        return
    sides = {"base": str(found.base.folder.path), "new": str(found.new.folder.path)}
    formats.show(
        found.new.view, form, **sides, verdict=found.word, verdicts=list(verdicts.rows), said=list(verdicts.caption)
    )
