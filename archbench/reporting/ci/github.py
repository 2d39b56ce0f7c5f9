"""Cases for GitHub Actions: annotations a line each, and a summary of the step.

A line of stdout that begins with `::` is a command to the runner. Untrusted text stands only inside a command of ours,
with nothing in it that ends a line or separates properties.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from archbench.comparison.cases import Ends, Suite
from archbench.errors import CannotMeasure
from archbench.reporting.formats import markdown
from archbench.text import visible

MOST = 10  # of a kind that GitHub shows for a step
LONGEST = 2000
LONGEST_SUMMARY = 1_000_000  # bytes; GitHub refuses a summary over 1 MiB
LEVELS: dict[Ends, str] = {"fails": "error", "untold": "warning"}


def format_annotations(suites: Sequence[Suite]) -> list[str]:
    """A line a network that keeps the gate from passing, then one about all. What is printed beside them names the rest."""
    lines = []
    for ends, level in LEVELS.items():
        own = [case for suite in suites for case in suite.cases if case.ends == ends]
        shown = own if len(own) <= MOST else own[: MOST - 1]
        lines += [_format_command(level, case.word, f"{case.name}: {'; '.join(case.faults)}") for case in shown]
        if len(shown) < len(own):
            lines.append(
                _format_command(level, "archbench", f"and {len(own) - len(shown):,} more; the output names each")
            )
    return [*lines, *(_format_command("notice", suite.command, suite.summary) for suite in suites)]


def _format_command(level: str, title: str, message: str) -> str:
    return (
        f"::{level} title={_escape_command(title).replace(':', '%3A').replace(',', '%2C')}::{_escape_command(message)}"
    )


def _escape_command(text: str) -> str:
    """`visible` leaves no end of line; `##[` began a command once, anywhere in a line."""
    return visible(text, LONGEST).replace("%", "%25").replace("##[", "# #[")


def write_step_summary(suites: Sequence[Suite], environment: Mapping[str, str] = os.environ) -> bool:
    """Add the tables to the step's summary; False where the runner gave no file for one. Raises CannotMeasure."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if not path:
        return False
    text = "\n".join(_render_section(suite, LONGEST_SUMMARY // len(suites)) for suite in suites)
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CannotMeasure(f"GITHUB_STEP_SUMMARY: cannot be written ({error.strerror})") from error
    return True


def _render_section(suite: Suite, most: int) -> str:
    """A heading and a table in so many bytes, of which a character may take several."""
    limit = most
    while True:
        text = f"## {suite.command}\n\n{markdown.render_markdown(suite.view, limit=limit)}\n"
        if len(text.encode()) <= most:
            return text
        limit = limit * 3 // 4
