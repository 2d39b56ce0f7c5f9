"""How a run went, in a word: what it exits with, and what a program is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from archbench.reporting.stored_run import Run

Outcome = Literal["done", "failed", "inconclusive", "regressed"]
WORSE: tuple[Outcome, ...] = ("done", "failed", "inconclusive", "regressed")


def outcome(run: Run) -> Outcome:
    """A regression or a budget exceeded goes before what could not be told or was lost, that before a variant that failed."""
    judged = run.judgement.word if run.judgement else None
    budgets = {excess.word for excess in run.excesses}
    if judged == "regressed" or "over" in budgets:
        return "regressed"
    if judged == "inconclusive" or "untold" in budgets or run.lost:
        return "inconclusive"
    return "done" if run.complete else "failed"


def worst(runs: Iterable[Run]) -> Outcome:
    """Of several runs the worst is told."""
    return max(map(outcome, runs), key=WORSE.index)
