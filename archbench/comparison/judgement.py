"""The judgement of networks against their bases, in two stored runs or one experiment, and its table: a row a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from archbench import units
from archbench.comparison.gate import EVERY_COUNT, Finding, Limit
from archbench.metrics import METRICS
from archbench.runs.records import Record
from archbench.statistics.verdicts import Verdict, Word
from archbench.tables.table import Column, Row, Table

MOST_REASONS = 40  # lines under a table; the rows have them all
MOST_NAMES = 12
ONLY_BASE = "only in the base, so it cannot be told"
NOTHING_IN_BOTH = "no network is in both"
PAIRED = "paired: both took turns in one experiment; t over its generations, each test at 1 % over all together"
UNPAIRED = (
    "unpaired: stored runs, which shared no turns; Welch's t over generations, each test at 1 % over all together"
)
COULD_SEE = (
    "could see: the change of latency that is found nine times in ten; "
    "needed: generations to find one as large as the limit"
)

ORDER = (
    "regressed",
    "inconclusive",
    "removed",
    "improved",
    "equivalent",
    "added",
)  # of the rows: what is cut comes last

COLUMNS = (
    Column("name", "name", "text", 0),
    Column("verdict", "verdict", "text", 1),
    Column("changes", "changes", "text", 8),
    Column("ratio", "new/base", "number", 2, units.format_ratio),
    Column("low", "95% from", "number", 3, units.format_ratio),
    Column("high", "to", "number", 4, units.format_ratio),
    Column("smallest", "could see", "number", 5, units.format_percent),
    Column("generations", "gens", "integer", 6, units.format_count),
    Column("generations_needed", "needed", "integer", 7, units.format_count),
    Column("disturbed", "disturbed", "number", 9, units.format_percent),
    Column("why", "why", "text", 10),
)
STORED = (*COLUMNS[:2], Column("id", "id", "text", 90), *COLUMNS[2:])
WORST_FIRST: tuple[Word, ...] = ("regressed", "inconclusive", "improved", "equivalent")
NOTHING = "nothing to judge it by"


@dataclass(frozen=True)
class NetworkJudgement:
    """The judgement of one network against its base by all limits; `beside` is its latency where no limit names that.

    `unfinished` says that a side failed or was not reached.
    """

    id: str
    name: str
    findings: tuple[Finding, ...]
    beside: Verdict | None = None
    unfinished: str = ""

    @property
    def word(self) -> Word:
        return worst_word([finding.word for finding in self.findings])

    @property
    def latency(self) -> Verdict | None:
        named = (finding.verdict for finding in self.findings if finding.limit.metric == "latency_ms")
        return next(named, self.beside)

    @property
    def is_timed(self) -> bool:
        """Whether measured times are behind the judgement."""
        verdicts = [self.beside, *(finding.verdict for finding in self.findings)]
        return any(verdict is not None and verdict.generations > 0 for verdict in verdicts)

    def findings_of(self, word: Word) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.word == word)

    def describe_word(self, word: Word) -> tuple[str, ...]:
        """A line for each finding of this word; all that an unfinished side keeps from being told is one line."""
        told = tuple(
            each.describe() for each in self.findings_of(word) if not self.unfinished or each.why != self.unfinished
        )
        if word != "inconclusive":
            return told
        return (*told, *([self.unfinished] if self.unfinished else [])) or (NOTHING,) * (not self.findings)


def worst_word(words: Sequence[Word]) -> Word:
    """The worst word, which a gate goes by; inconclusive where there is none."""
    return next((word for word in WORST_FIRST if word in words), "inconclusive")


@dataclass(frozen=True)
class Judgement:
    """The judgement of each network that has a base, by each limit. `paired`: both took turns in one experiment.

    `added` and `removed` are on one side only; `across` is what differs around two stored runs.
    """

    name: str  # of the new spec
    limits: tuple[Limit, ...]
    judged: tuple[NetworkJudgement, ...]
    added: tuple[Record, ...] = ()
    removed: tuple[Record, ...] = ()
    across: tuple[str, ...] = ()
    paired: bool = False

    @property
    def command(self) -> str:
        """The command that judged, as other programs name it."""
        return "archbench run --against" if self.paired else "archbench compare"

    @property
    def only_new(self) -> str:
        """The phrase for a network that has no base."""
        return f"only in the new {'spec' if self.paired else 'run'}"

    @property
    def verdicts(self) -> dict[str, NetworkJudgement]:
        """The judgement of each network by its new name, with its id where others have that name too."""
        counts = Counter(each.name for each in self.judged)
        return {each.name if counts[each.name] == 1 else f"{each.name} ({each.id})": each for each in self.judged}

    @property
    def word(self) -> Word:
        """The worst word of all: networks that vanished, and two runs with nothing in common, are inconclusive."""
        gone: list[Word] = ["inconclusive"] if self.removed else []
        return worst_word([*(each.word for each in self.judged), *gone])

    @property
    def table(self) -> Table:
        """The verdicts as a table, for every format."""
        return tabulate_verdicts(self)


def tabulate_verdicts(found: Judgement) -> Table:
    """One row a network of either side, the worst first; the caption says what each limit has against whom."""
    rows = [*map(_make_judged_row, found.judged), *(_make_lone_row(each, "added") for each in found.added)]
    rows += [_make_lone_row(each, "removed") for each in found.removed]
    rows.sort(key=lambda row: ORDER.index(row["verdict"]))
    counts = Counter(row["verdict"] for row in rows)
    said = ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])
    caption = [
        f"new against base: {said or 'nothing to compare'}" + ("" if found.judged else f"; {NOTHING_IN_BOTH}"),
        f"limits: {', '.join(format_limits(found.limits))}; equivalent is within them either way",
        *(
            [f"{PAIRED if found.paired else UNPAIRED}; {COULD_SEE}"]
            if any(each.is_timed for each in found.judged)
            else []
        ),
        *([f"across environments: {'; '.join(found.across)}"] if found.across else []),
        *gate_reasons(found.judged),
        *([f"{ONLY_BASE}: {join_names(found.removed)}"] if found.removed else []),
        *([f"{found.only_new}: {join_names(found.added)}"] if found.added else []),
        *find_new_names(found.added, found.removed),
    ]
    return Table("", COLUMNS if found.paired else STORED, tuple(rows), tuple(caption))


def format_limits(limits: Sequence[Limit]) -> list[str]:
    """The limits as they were written; those on every count in a word."""
    every = set(EVERY_COUNT) <= set(limits)
    return [limit.text for limit in limits if not (every and limit in EVERY_COUNT)] + ["no count may rise"] * every


def gate_reasons(judged: Iterable[NetworkJudgement]) -> list[str]:
    """A line a finding that keeps the gate from passing, the regressions first."""
    words: tuple[Word, ...] = ("regressed", "inconclusive")
    found = [(word, each.name, said) for word in words for each in judged for said in each.describe_word(word)]
    more = [f"and {len(found) - MOST_REASONS} more"] if len(found) > MOST_REASONS else []
    return [f"{word}: {name}: {said}" for word, name, said in found[:MOST_REASONS]] + more


def find_new_names(added: Sequence[Record], removed: Sequence[Record]) -> list[str]:
    """Names that are of another network now: what was meant to be compared is not the same."""
    gone = {record.name for record in removed}
    changed = [record for record in added if record.name in gone]
    if not changed:
        return []
    by_name = "stored runs are matched by id; `archbench run SPEC --against BASE` measures both and pairs them by name"
    return [f"another network now, under the same name: {join_names(changed)}", by_name]


def join_names(records: Sequence[Record]) -> str:
    """The first few by name, and how many more."""
    more = f" and {len(records) - MOST_NAMES} more" if len(records) > MOST_NAMES else ""
    return ", ".join(record.name for record in records[:MOST_NAMES]) + more


def _make_judged_row(judged: NetworkJudgement) -> Row:
    counts = [each for each in judged.findings if not each.limit.is_timed]
    latency = judged.latency
    whys = dict.fromkeys(filter(None, (judged.unfinished, *(finding.why for finding in judged.findings))))
    return {
        **(_verdict_row(judged.name, latency) if latency else _blank_row(judged.name)),
        "verdict": judged.word,
        "id": judged.id,
        "changes": ", ".join(_describe_change(each) for each in counts if each.base != each.new) or None,
        "why": "; ".join(whys) or None,
        "metrics": {each.limit.metric: _finding_as_json(each) for each in judged.findings},
    }


def _describe_change(finding: Finding) -> str:
    metric = METRICS[finding.limit.metric]
    sides = ("null" if value is None else units.format_count(value) for value in (finding.base, finding.new))
    return f"{metric.name} {' to '.join(sides)}"


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.word,
        "base": finding.base,
        "new": finding.new,
        "limit": finding.limit.text,
        "why": finding.why or None,
    }


def _make_lone_row(record: Record, word: str) -> Row:
    return _blank_row(record.name) | {"verdict": word, "id": record.id, "metrics": {}}


def _blank_row(name: str) -> Row:
    return {column.name: None for column in STORED} | {"name": name, "paired": False, **MARKS}


def _verdict_row(name: str, verdict: Verdict) -> Row:
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
