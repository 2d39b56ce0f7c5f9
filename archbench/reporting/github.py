"""A comparison for GitHub Actions: annotations a line each, and a summary of the step.

A line of stdout that begins with `::` is a command to the runner. Untrusted text stands only inside a command of ours,
with nothing in it that ends a line or separates properties.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from archbench.design.document import visible
from archbench.errors import CannotMeasure
from archbench.reporting import markdown
from archbench.reporting.comparison import Judgement

MOST = 10  # of a kind that GitHub shows for a step
LONGEST = 2000
LONGEST_SUMMARY = 1_000_000  # GitHub refuses a summary over 1 MiB
LEVELS = {"regressed": "error", "inconclusive": "warning"}


def commands(judgement: Judgement) -> list[str]:
    """A line a network that keeps the gate from passing, then one about all."""
    found = list(_found(judgement))
    lines = []
    for level in LEVELS.values():
        own = [line for each, line in found if each == level]
        lines += own[:MOST]
        if len(own) > MOST:
            lines[-1] = _command(level, "archbench", f"and {len(own) - MOST + 1} more; the summary has all")
    return [*lines, _command("notice", judgement.command, judgement.view.caption[0])]


def _found(judgement: Judgement) -> Iterator[tuple[str, str]]:
    for judged in judgement.judged:
        if level := LEVELS.get(judged.word):
            said = "; ".join(finding.said() for finding in judged.of(judged.word)) or "nothing to judge it by"
            yield level, _command(level, judged.word, f"{judged.name}: {said}")
    for record in judgement.removed:
        yield "warning", _command("warning", "removed", f"{record.name}: only in the base, so it cannot be told")
    if not judgement.judged:
        yield "warning", _command("warning", "inconclusive", "no network is in both runs")


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_escape(title).replace(':', '%3A').replace(',', '%2C')}::{_escape(message)}"


def _escape(text: str) -> str:
    """`visible` leaves no end of line; `##[` began a command once, anywhere in a line."""
    return visible(text, LONGEST).replace("%", "%25").replace("##[", "# #[")


def summarise(judgement: Judgement, environment: Mapping[str, str] = os.environ) -> bool:
    """Add the table to the step's summary; False where the runner gave no file for one. Raises CannotMeasure."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if not path:
        return False
    text = _within(markdown.render(judgement.view))
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"## {judgement.command}\n\n{text}\n")
    except OSError as error:
        raise CannotMeasure(f"GITHUB_STEP_SUMMARY: cannot be written ({error.strerror})") from error
    return True


def _within(text: str) -> str:
    """As many whole lines as GitHub takes."""
    data = text.encode()
    if len(data) <= LONGEST_SUMMARY:
        return text
    return data[:LONGEST_SUMMARY].rpartition(b"\n")[0].decode() + "\n\nand more: the table is too long for a summary\n"
