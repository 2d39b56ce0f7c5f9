"""The verdicts of a comparison as a table: one row a pair, and what must be said of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archbench import units
from archbench.metrics import METRICS
from archbench.reporting.gate import EVERY_COUNT, Finding, Judged, Limit
from archbench.reporting.records import Key, Record
from archbench.reporting.tables import Column, Row, Table
from archbench.reporting.verdicts import MARGIN, Verdict, Word, untold

MOST_REASONS = 40  # lines under a table; the rows have them all
MOST_NAMES = 12
UNPAIRED = (
    "unpaired: stored runs, which shared no turns; Welch's t over generations, each test at 1 % over all together"
)

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
STORED = (*COLUMNS[:2], Column("id", "id", "text", 90), Column("changes", "changes", "text", 5), *COLUMNS[2:])


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


def stored_table(
    judged: Sequence[Judged],
    *,
    added: Sequence[Record] = (),
    removed: Sequence[Record] = (),
    across: Sequence[str] = (),
    limits: Sequence[Limit] = (),
) -> Table:
    """One row a network of either of two stored runs; the caption says what each limit has against whom."""
    rows = [*map(_judged_row, judged), *(_lone_row(each, "added") for each in added)]
    rows += [_lone_row(each, "removed") for each in removed]
    counts = Counter(row["verdict"] for row in rows)
    said = ", ".join(f"{counts[word]} {word}" for word in (*ORDER, "added", "removed") if counts[word])
    caption = [
        f"new against base: {said or 'nothing to compare'}" + ("" if judged else "; no network is in both"),
        f"limits: {', '.join(asked(limits))}",
        *([UNPAIRED] if any(each.latency and each.latency.generations for each in judged) else []),
        *([f"across environments: {'; '.join(across)}"] if across else []),
        *reasons(judged),
        *([f"only in the base, so it cannot be told: {names(removed)}"] if removed else []),
        *([f"only in the new run: {names(added)}"] if added else []),
        *renamed(added, removed),
    ]
    return Table("", STORED, tuple(rows), tuple(caption))


def asked(limits: Sequence[Limit]) -> list[str]:
    """The limits as they were written; those on every count in a word."""
    every = set(EVERY_COUNT) <= set(limits)
    return [limit.text for limit in limits if not (every and limit in EVERY_COUNT)] + ["no count may rise"] * every


def reasons(judged: Iterable[Judged]) -> list[str]:
    """A line a finding that keeps the gate from passing, the regressions first."""
    words: tuple[Word, ...] = ("regressed", "inconclusive")
    found = [(word, each.name, finding.said()) for word in words for each in judged for finding in each.of(word)]
    more = [f"and {len(found) - MOST_REASONS} more"] if len(found) > MOST_REASONS else []
    return [f"{word}: {name}: {said}" for word, name, said in found[:MOST_REASONS]] + more


def renamed(added: Sequence[Record], removed: Sequence[Record]) -> list[str]:
    """Names that are of another network now: what was meant to be compared is not the same."""
    gone = {record.name for record in removed}
    changed = [record for record in added if record.name in gone]
    return [f"another network now, under the same name: {names(changed)}"] if changed else []


def names(records: Sequence[Record]) -> str:
    """The first few by name, and how many more."""
    more = f" and {len(records) - MOST_NAMES} more" if len(records) > MOST_NAMES else ""
    return ", ".join(record.name for record in records[:MOST_NAMES]) + more


def _judged_row(judged: Judged) -> Row:
    counts = [each for each in judged.findings if not each.limit.timed]
    latency = judged.latency
    whys = dict.fromkeys(finding.why for finding in judged.of("inconclusive") if finding.why)
    return {
        **(_row(judged.name, latency) if latency else _blank(judged.name)),
        "verdict": judged.word,
        "id": judged.id,
        "changes": ", ".join(_change(each) for each in counts if each.base != each.new) or None,
        "why": "; ".join(whys) or None,
        "metrics": {each.limit.metric: _finding(each) for each in judged.findings},
    }


def _change(finding: Finding) -> str:
    metric = METRICS[finding.limit.metric]
    sides = ("null" if value is None else units.count(value) for value in (finding.base, finding.new))
    return f"{metric.name} {' to '.join(sides)}"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.word,
        "base": finding.base,
        "new": finding.new,
        "limit": finding.limit.text,
        "why": finding.why or None,
    }


def _lone_row(record: Record, word: str) -> Row:
    return _blank(record.name) | {"verdict": word, "id": record.id, "metrics": {}}


def _blank(name: str) -> Row:
    return {column.name: None for column in STORED} | {"name": name, "paired": False, **MARKS}


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
