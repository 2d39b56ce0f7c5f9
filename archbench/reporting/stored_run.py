"""A stored run, read back: its rows, its table, and the files derived from it. Nothing but the folder is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import get_args

import pandas as pd

from archbench import units
from archbench.comparison.budgets import Excess, budget_table, excesses, marked, stored_budgets
from archbench.comparison.gate import Judged
from archbench.comparison.paired import Taken, judge_pairs, stored_limits
from archbench.comparison.verdict_table import Judgement
from archbench.design.spec.schema import Quantity
from archbench.errors import ResultsError
from archbench.reporting.formats import csv_file, markdown
from archbench.reporting.formats.dataframe import frame
from archbench.reporting.page import html
from archbench.reporting.page.review import Review, review
from archbench.runs.find import find
from archbench.runs.records import UNFINISHED, Block, Key, Record, as_json
from archbench.runs.scores import told
from archbench.runs.store import PAGE, TABLE, TEXT, RunFolder
from archbench.statistics.summary import summarise, ties
from archbench.statistics.ties import Ties
from archbench.statistics.times import Times
from archbench.tables.captions import funnel_lines, lost_line
from archbench.tables.table import Row, Table, build
from archbench.text import visible

CONTEXT = "the fastest, ranks, front and charts' lines are of the new networks; their bases stand beside them"
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)


@dataclass(frozen=True)
class Run:
    """One run folder as it is on disk. A variant without a record yet is `not reached`."""

    folder: RunFolder
    called: str = ""  # what a person wrote for it, where the folder is gone once it was read

    @property
    def place(self) -> str:
        """Where it is to be found again: its folder, or its revision of one."""
        return self.called or str(self.folder.path)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """One a (variant, replica), in the spec's order. Raises ResultsError where one was never planned."""
        finished = {record.key: record for record in self.folder.records()}
        found = tuple(finished.pop(record.key, record) for record in self.folder.planned())
        self.folder.refuse_strangers(finished.values())
        return found

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return self.folder.blocks()

    @property
    def records_json(self) -> list[dict[str, object]]:
        """Every record as plain data, with its id and status."""
        return [as_json(record) for record in self.records]

    @property
    def complete(self) -> bool:
        """Whether every variant was priced or measured."""
        return not any(record.status in UNFINISHED for record in self.records)

    @cached_property
    def view(self) -> Table:
        """The comparison table, as every format writes it; where there are budgets with how each row stands."""
        return marked(self._unmarked, self._excesses) if self.budgets else self._unmarked

    @cached_property
    def budgets(self) -> dict[str, float]:
        """What the spec allows: metric -> the most it may be."""
        return stored_budgets(self.folder.header)

    @property
    def excesses(self) -> tuple[Excess, ...]:
        """What the run has against its budgets."""
        return tuple(excess for each in self._excesses for excess in each or ())

    @property
    def held(self) -> tuple[tuple[Row, tuple[Excess, ...]], ...]:
        """Each row that is held to the budgets, with what it has against them."""
        return tuple(
            (row, own) for row, own in zip(self._unmarked.rows, self._excesses, strict=True) if own is not None
        )

    @property
    def budget_view(self) -> Table | None:
        """The excesses as a table; null where there are no budgets."""
        return budget_table(self.excesses, self.budgets) if self.budgets else None

    @cached_property
    def _excesses(self) -> tuple[tuple[Excess, ...] | None, ...]:
        return excesses(self.records, self._unmarked.rows, self.budgets)

    @cached_property
    def _unmarked(self) -> Table:
        header = self.folder.header
        return build(
            self.records,
            self.times,
            reference=self._reference,
            scores=told(header.get("scores"), self.records, header["space"].get("strangers")),
            title=header["name"],
            notes=tuple(notes(self.folder, untimed=self._untimed)),
            spared=bool(header["space"].get("spared")),
        )

    @property
    def lost(self) -> bool:
        """Whether something was measured whose samples are not there."""
        return bool(lost_line(self._unmarked.rows))

    @property
    def compares(self) -> bool:
        """Whether two specs were measured against each other."""
        return self.folder.header.get("against") is not None

    @property
    def synchronous(self) -> bool:
        """Whether the host's time of a call is the device's too."""
        return bool(self.folder.header["environment"]["device"] == "cpu")

    @cached_property
    def judgement(self) -> Judgement | None:
        """In a comparison, what is said of each pair by the limits the run was given; null in another run."""
        if not self.compares:
            return None
        header, quantity = self.folder.header, planned_quantity(self.folder)
        taken = Taken(header["name"], self.records, self.blocks, self.view.rows, quantity, self.synchronous)
        return judge_pairs(taken, stored_limits(header))

    @property
    def verdicts(self) -> dict[str, Judged]:
        """In a comparison, what is said of each pair; nothing in another run."""
        return self.judgement.verdicts if self.judgement else {}

    @property
    def verdict_view(self) -> Table | None:
        """The verdicts as a table; null where nothing was compared."""
        return self.judgement.view if self.judgement else None

    @cached_property
    def ties(self) -> Ties:
        """Who was compared with whom, and whose latency cannot be told from whose."""
        return ties(
            self.blocks,
            failed=failed_keys(self.records),
            quantity=planned_quantity(self.folder),
            looked=self.folder.header["budget_s"] is not None,
        )

    @cached_property
    def review(self) -> Review:
        """The design review, as the page shows it."""
        return review(
            self.view,
            self.records,
            self.folder.header,
            ties=self.ties,
            verdicts=self.verdict_view,
            excesses=self.excesses,
        )

    @property
    def _untimed(self) -> bool:
        """Whether nothing was measured of any variant, lost or not."""
        return not self.times.latencies and all(record.status != "measured" for record in self.records)

    @property
    def _reference(self) -> Key | None:
        return next((record.key for record in self.records if record.reference), None)

    @cached_property
    def times(self) -> Times:
        """Every quantity summed up. The processor's time on a CPU needs no blocks of its own: the plan's have it."""
        looked, synchronous = self.folder.header["budget_s"] is not None, self.synchronous
        bases = frozenset(record.key for record in self.records if record.side == "base")
        failed = failed_keys(self.records)
        summed = partial(summarise, self.blocks, self._reference, failed=failed, unranked=bases, looked=looked)
        found = {quantity: summed(quantity=quantity) for quantity in QUANTITIES}
        if synchronous and not found["device"]:
            found["device"] = summed(quantity=planned_quantity(self.folder), processor_time=True)
        target = self.folder.header["plan"].get("target") if looked else None
        return Times(found, planned_quantity(self.folder), looked, synchronous, target)

    def table(self) -> pd.DataFrame:
        """The comparison table as a pandas DataFrame: base units, integers as Int64, missing as null."""
        return frame(self.view)

    def write(self) -> None:
        """The derived files: table.csv, report.md and report.html."""
        self.folder.write(TABLE, csv_file.render(self.view))
        beside = [table for table in (self.verdict_view, self.budget_view) if table]
        self.folder.write(TEXT, markdown.render_all(self.view, beside))
        self.folder.write(PAGE, html.render(self.review))


def read_run(run: str | Path, results: str | Path = "results") -> Run:
    """A stored run by its folder, `SPEC/@latest` or id. Raises ResultsError with the way out."""
    return Run(find(Path(results), str(run)))


def read_runs(runs: Sequence[str], results: str | Path) -> list[Run]:
    """Several stored runs. Raises ResultsError where two are one: its columns would stand twice."""
    found = [read_run(run, results) for run in runs]
    seen: dict[Path, str] = {}
    for text, run in zip(runs, found, strict=True):
        place = run.folder.path.resolve()
        if place in seen:
            raise ResultsError(
                f"{visible(seen[place], 200)} and {visible(text, 200)} are the same run, {visible(str(place), 1000)}; "
                "name it once"
            )
        seen[place] = text
    return found


def planned_quantity(folder: RunFolder) -> Quantity:
    """What `latency_ms` is in this run; a plan older than the choice means request."""
    quantity: Quantity = folder.header["plan"].get("quantity", "request")
    return quantity


def failed_keys(records: Iterable[Record]) -> frozenset[Key]:
    return frozenset(record.key for record in records if record.status == "failed")


def notes(folder: RunFolder, *, untimed: bool = False) -> list[str]:
    """What the table's caption says of the whole run: where it was measured, and what was left out on the way.

    `untimed`: nothing was measured, though it may have been tried.
    """
    header = folder.header
    environment, space = header["environment"], header["space"]
    measured = environment["device"] != "none"
    on = f"measured on {machine(environment)}" if measured else "nothing was measured: priced alone, on no device"
    said = [f"nothing was {on}" if measured and untimed else on]
    said += funnel_lines(space)
    if space.get("front") is not None:
        said.append(
            f"{space['chosen']:,} of the front, the least crowded, are here beside the reference; "
            f"the other {space['kept'] - space['chosen']:,} within the constraints were never measured"
        )
    if header.get("against") is not None:
        said.append(CONTEXT)
    if measured and header["budget_s"] is not None:
        said.append(f"budget {units.format_duration(header['budget_s'])}")
    if header.get("starved") is not None:
        said.append(header["starved"])
    return said


def machine(environment: dict[str, object]) -> str:
    """Device, processor and torch in a few words."""
    versions = environment["versions"]
    assert isinstance(versions, dict)
    gpu = environment.get("gpu")
    name = gpu["name"] if isinstance(gpu, dict) else environment["cpu"]
    return f"{environment['device']} ({name}, {environment['cores']} cores), torch {versions['torch']}"
