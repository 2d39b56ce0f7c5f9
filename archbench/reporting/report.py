"""A run's review and the files derived from it. Run as a program, with a run's folder, it writes them."""

from __future__ import annotations

import sys
from pathlib import Path

from archbench.comparison.of_run import JudgedRun, judge_run
from archbench.errors import ArchbenchError
from archbench.reporting.formats import csv_file, markdown
from archbench.reporting.page import html
from archbench.reporting.page.review import Review, build_review
from archbench.runs.run import read_folder
from archbench.runs.store import PAGE, TABLE, TEXT, RunFolder
from archbench.tables.run_table import find_run_ties


def review_run(run: JudgedRun) -> Review:
    """The design review of one run, as its page shows it."""
    return build_review(
        run.table,
        run.stored.records,
        run.stored.manifest,
        ties=find_run_ties(run.stored),
        verdicts=run.verdict_table,
        excesses=run.excesses,
    )


def write_report(run: JudgedRun, reviewed: Review) -> None:
    """The derived files: table.csv, report.md and report.html."""
    folder = run.stored.folder
    folder.write_file(TABLE, csv_file.render_csv(run.table))
    beside = [table for table in (run.verdict_table, run.budget_table) if table]
    folder.write_file(TEXT, markdown.render_markdown_tables(run.table, beside))
    folder.write_file(PAGE, html.render_html(reviewed))


def rewrite_report(folder: RunFolder) -> None:
    """Derive a run's files again from what is stored in its folder."""
    run = judge_run(read_folder(folder))
    write_report(run, review_run(run))


def main() -> None:
    """Write the report of the run whose folder is the argument; a refusal is one sentence on stderr and its exit code."""
    try:
        rewrite_report(RunFolder.open(Path(sys.argv[1])))
    except ArchbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
