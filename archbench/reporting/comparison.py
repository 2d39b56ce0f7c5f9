"""The verdicts of a comparison as a table: one row a pair, and what must be said of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from archbench import units
from archbench.reporting.records import Key, Record
from archbench.reporting.tables import Column, Row, Table
from archbench.reporting.verdicts import MARGIN, Verdict, untold

ORDER = ("regressed", "improved", "inconclusive", "equivalent")

COLUMNS = (
    Column("name", "name", "text", 0),
    Column("verdict", "verdict", "text", 1),
    Column("ratio", "new/base", "number", 2, units.ratio),
    Column("low", "95% from", "number", 3, units.ratio),
    Column("high", "to", "number", 4, units.ratio),
    Column("smallest", "could see", "number", 6, units.percent),
    Column("generations", "gens", "integer", 7, units.count),
    Column("generations_needed", "needed", "integer", 8, units.count),
    Column("disturbed", "disturbed", "number", 9, units.percent),
    Column("why", "why", "text", 10),
)


def pairs(records: Sequence[Record]) -> dict[str, tuple[Key, Key]]:
    """Each pair's name with the keys of its base and its new variant, where both were measured."""
    sides: dict[str, dict[str, Key]] = {}
    for record in records:
        if record.pair and record.status != "failed":
            sides.setdefault(record.pair, {})[record.side] = record.key
    return {name: (both["base"], both["new"]) for name, both in sides.items() if both.keys() == {"base", "new"}}


def broken(records: Sequence[Record]) -> dict[str, Verdict]:
    """The pairs of which a side failed: nothing can be told of them, and the reason is why."""
    failures = [record for record in records if record.pair and record.status == "failed"]
    return {each.pair: untold(f"{each.side} failed: {each.reason}") for each in failures}


def verdict_table(verdicts: Mapping[str, Verdict], records: Sequence[Record], *, margin: float = MARGIN) -> Table:
    """One row a verdict, in the order of the pairs. The caption counts them, and names what had no partner."""
    rows = tuple(_row(name, verdict) for name, verdict in verdicts.items())
    counts = Counter[str](verdict.word for verdict in verdicts.values())
    said = ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])
    paired = any(verdict.paired for verdict in verdicts.values())
    caption = [
        f"new against base: {said or 'nothing to compare'}",
        f"equivalent is within {units.percent(margin)} either way; each test is at 1 %, over all variants together; "
        + ("paired: both took turns in one experiment" if paired else "unpaired: stored runs, which shared no turns"),
        "could see: the change that would have been found nine times in ten; needed: generations to find one of "
        f"{units.percent(margin)}",
        *_alone(records, "new", "only in the new spec"),
        *_alone(records, "base", "only in the base"),
    ]
    return Table("", COLUMNS, rows, tuple(caption))


def _row(name: str, verdict: Verdict) -> Row:
    return {
        "name": name,
        "verdict": verdict.word,
        "ratio": verdict.ratio,
        "low": verdict.low,
        "high": verdict.high,
        "smallest": verdict.smallest,
        "generations": verdict.generations,
        "generations_needed": verdict.generations_needed,
        "disturbed": verdict.disturbed,
        "paired": verdict.paired,
        "why": verdict.why or None,
        **MARKS,
    }


MARKS: dict[str, Any] = {"reference": False, "pareto": None, "status": "", "reason": None, "kind": {}, "warnings": []}


def _alone(records: Sequence[Record], side: str, words: str) -> list[str]:
    names = [record.name for record in records if record.side == side and not record.pair]
    return [f"{words}: {', '.join(names)}"] if names else []
