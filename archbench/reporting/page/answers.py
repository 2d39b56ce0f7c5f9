"""The answers at the top of a design review, in sentences. Nothing here is escaped but for what cannot be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from archbench import units
from archbench.comparison.budgets import STANDING, WITHIN, stored_budgets
from archbench.comparison.judgement import ORDER
from archbench.comparison.of_run import JudgedRun
from archbench.metrics import METRICS
from archbench.reporting.page.decision import Peers, Terms, find_fastest, find_peers
from archbench.reporting.page.word_tables import format_metric, format_row_half_width, full_name, name_some
from archbench.statistics.summary import Ties
from archbench.tables.table import Row, Table
from archbench.text import visible

MOST_WARNING = 200  # characters of one, where the decision stands
LONGEST_CONSTRAINT = 60
LOUD = ("regressed", "improved")  # verdicts whose variants are named at the top

Facts = tuple[tuple[str, str], ...]  # sentences, each after the words that head it


def phrase_question(run: JudgedRun, rows: Sequence[Row]) -> str:
    """The question that a page answers: which of these variants, in what they differ, and which were allowed."""
    manifest = run.stored_run.manifest
    spec = manifest.get("spec") or {}
    axes = [column.label for column in run.table.columns if column.axis]
    of = f" of {visible(str(spec['base']))}" if spec.get("base") and "base" not in axes else ""
    differ = f" They differ in {join_words(axes)}." if axes and len(rows) > 1 else ""
    constraints = ", ".join(visible(str(text), LONGEST_CONSTRAINT) for text in spec.get("constraints") or [])
    allowed = f" Allowed: {constraints}." if constraints else " No constraint was set."
    count = len({row["id"] for row in rows})  # of a variant that is measured several times one
    return f"{_phrase_choice(count, of, manifest.get('against'))}{differ}{allowed}"


def join_words(words: Sequence[str]) -> str:
    """An enumeration: `a, b and c`."""
    safe = [visible(word) for word in words]
    return " and ".join([", ".join(safe[:-1]), safe[-1]] if len(words) > 1 else safe)


def _phrase_choice(count: int, of: str, against: Mapping[str, Any] | None) -> str:
    variants = f"{count:,} variants{of}" if count != 1 else f"one variant{of}"
    if against is not None:
        return f"Does any of {variants} take longer than its base in {visible(str(against.get('name')))}?"
    if count == 1:
        return f"What does {variants} cost?"
    return f"Which of {variants} should the detector take, given what it costs?"


def list_answers(run: JudgedRun, rows: Sequence[Row], by: Terms, best: Sequence[Row], ties: Ties) -> Facts:
    """Everything the review of one run answers; `best` is the line of the variants worth a look."""
    return (
        *_answer_verdicts(run.verdict_table),
        *answer_fastest(rows, ties),
        *_answer_cheapest(rows, by),
        *_answer_budgets(rows, stored_budgets(run.stored_run.manifest), by, ties),
        *_answer_reference(rows, by),
        *_answer_line(best, by),
        *warn_of_distrust(run.table.distrust),
    )


def _answer_verdicts(verdicts: Table | None) -> Facts:
    """The number of pairs with each verdict, and the variants that regressed or improved."""
    if verdicts is None:
        return ()
    names: dict[str, list[Row]] = {}
    for row in verdicts.rows:
        names.setdefault(row["verdict"], []).append(row)
    known = [word for word in ORDER if word in names]
    counts = [
        f"{len(names[word]):,} {word}" + (f" ({name_some(names[word])})" if word in LOUD else "") for word in known
    ]
    return (("New against base", f"{', '.join(counts) or 'nothing could be compared'}."),)


def answer_fastest(rows: Sequence[Row], ties: Ties) -> Facts:
    """The fastest variant, and how sure that is; nothing where nothing was measured."""
    best = find_fastest(rows)
    if best is None:
        return ()
    certainty = _describe_certainty(best, find_peers(best, rows, ties))
    return (("Fastest", f"{full_name(best)}: {describe_latency(best)}{certainty}"),)


def describe_latency(row: Row) -> str:
    """A latency with its interval, where it has one."""
    latency = f"{format_amount(row, 'latency_ms')} {format_row_half_width(row)}"
    return latency.removesuffix(f" {units.MISSING}")


def _describe_certainty(row: Row, peers: Peers) -> str:
    if row["half_width"] is None:
        why = "one generation gives no interval" if row["generations"] == 1 else "no two variants met in two sessions"
        return f". How sure that is, is not known: {why}."
    interval = f" (95 % interval, {row['generations']} generations of fresh processes)."
    if not (peers.ties or peers.apart or peers.missing):
        return f"{interval} No other was measured."
    return f"{interval}{_describe_ties(peers)}{_describe_missing(peers)}"


def _describe_ties(peers: Peers) -> str:
    if peers.ties:
        return f" It cannot be told from {name_some(peers.ties)}: the 95 % interval of their ratio holds 1."
    if not peers.apart:
        return ""
    if peers.missing:
        of = f"the {peers.apart if peers.apart > 1 else 'one'} it was compared with"
    else:
        of = "the other one" if peers.apart == 1 else f"each of the other {peers.apart:,}"
    return f" It is told apart from {of}: no 95 % interval of a ratio to it holds 1."


def _describe_missing(peers: Peers) -> str:
    if not peers.missing:
        return ""
    reasons = ", ".join(f"{count:,} ({why})" for why, count in peers.missing.items())
    return f" Not compared with it: {reasons}."


def _answer_cheapest(rows: Sequence[Row], by: Terms) -> Facts:
    """The variant of least MACs, of a run that was only priced."""
    if by.cost == "latency_ms":
        return ()
    known = [row for row in rows if row["macs"] is not None]
    if not known:
        return ()
    least = min(known, key=lambda row: int(row["macs"]))
    failed = sum(row["status"] == "failed" for row in rows)
    failures = f"{failed:,} of {len(rows):,} failed; " if failed else ""
    said = f"{failures}what follows is exact cost. Least MACs: {full_name(least)}, {format_amount(least, 'macs')}."
    return (("Nothing was measured", said),)


def _answer_budgets(rows: Sequence[Row], budgets: Mapping[str, float], by: Terms, ties: Ties) -> Facts:
    """The budgets, how many variants keep them all, and the fastest and the most capable of those."""
    if not budgets:
        return ()
    kept = [row for row in rows if row[STANDING.name] == WITHIN]
    counts = Counter(row[STANDING.name] for row in rows if row[STANDING.name] is not None)
    standings = ", ".join(f"{counts[each]:,} {each}" for each in sorted(counts, reverse=True))
    limits = join_words([f"{metric_phrase(metric)} {format_metric(most, metric)}" for metric, most in budgets.items()])
    most = max(kept, key=lambda row: (row[by.gain] is not None, row[by.gain] or 0), default=None)
    return (
        ("Budgets", f"{limits}. Variants: {standings}."),
        *_answer_fastest_within(kept, rows, ties),
        *(_answer_most_within(most, by) if most is not None and most[by.gain] is not None else ()),
    )


def _answer_fastest_within(kept: Sequence[Row], rows: Sequence[Row], ties: Ties) -> Facts:
    best = find_fastest(kept)
    if best is not None and best is find_fastest(rows):
        return (("Fastest within them", f"{full_name(best)}, the fastest of all."),)
    return tuple((f"{label} within them", said) for label, said in answer_fastest(kept, ties))


def _answer_most_within(row: Row, by: Terms) -> Facts:
    costs = [format_amount(row, by.gain), *([describe_latency(row)] if row["latency_ms"] is not None else [])]
    return ((f"Most {metric_phrase(by.gain)} within them", f"{full_name(row)}: {', '.join(costs)}."),)


def _answer_reference(rows: Sequence[Row], by: Terms) -> Facts:
    base = next((row for row in rows if row["reference"]), None)
    if base is None:
        return ()
    costs = [describe_latency(base)] if base["latency_ms"] is not None else []
    names = ("macs", "params", "peak_bytes", "score")
    costs += [f"{metric_phrase(name)} {format_amount(base, name)}" for name in names if base[name] is not None]
    return (("Reference", f"{full_name(base)}: {', '.join(costs)}."),)


def metric_phrase(metric: str, *, capital: bool = False) -> str:
    """A metric in a sentence: its label without the unit."""
    word = METRICS[metric].title.partition(" (")[0]
    word = "peak memory" if metric == "peak_bytes" else word
    return word[0].upper() + word[1:] if capital else word


def format_amount(row: Row, metric: str) -> str:
    return format_metric(row[metric], metric)


def _answer_line(best: Sequence[Row], by: Terms) -> Facts:
    if not best:
        return ()
    count = f"{len(best)} variants are" if len(best) != 1 else "1 variant is"
    terms = f"most {metric_phrase(by.gain)} for least {metric_phrase(by.cost)}"
    stand_in = " MACs stand for capacity: there are no scores, and nothing here knows accuracy."
    line = f"{count} on the line of {terms}: {name_some(best)}."
    return (("Worth a look", line + (stand_in if by.gain == "macs" else "")),)


def warn_of_distrust(distrust: Sequence[str]) -> Facts:
    """The first of the warnings, which stands where the decision does, and how many there are beside."""
    if not distrust:
        return ()
    more = f" (and {len(distrust) - 1:,} more below)" if len(distrust) > 1 else ""
    return (("Distrust", f"{visible(distrust[0], MOST_WARNING)}{more}."),)
