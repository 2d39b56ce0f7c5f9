"""The files derived from a run: table.csv, report.md and report.html. Run as a program, with a run's folder, it writes them."""

from __future__ import annotations

import sys
from pathlib import Path

from archbench.comparison.of_run import JudgedRun, judge_run
from archbench.errors import ArchbenchError
from archbench.reporting.formats.markdown import render_markdown_tables
from archbench.reporting.formats.text_formats import render_csv
from archbench.reporting.page.html import render_html
from archbench.reporting.page.review import Review, build_review
from archbench.runs.run import read_folder
from archbench.runs.store import PAGE, TABLE, TEXT, RunFolder


def write_report(run: JudgedRun) -> Review:
    """Write the derived files into the run's folder; the review that its page shows."""
    folder = run.stored_run.folder
    folder.write_file(TABLE, render_csv(run.table))
    beside = [table for table in (run.verdict_table, run.budget_table) if table]
    folder.write_file(TEXT, render_markdown_tables(run.table, beside))
    review = build_review(run)
    folder.write_file(PAGE, render_html(review))
    return review


def rewrite_report(folder: RunFolder) -> None:
    """Derive a run's files again from what is stored in its folder."""
    write_report(judge_run(read_folder(folder)))


def main() -> None:
    """Write the report of the run whose folder is the argument; a refusal is one sentence on stderr and its exit code."""
    try:
        rewrite_report(RunFolder.open(Path(sys.argv[1])))
    except ArchbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
