"""One run read from its folder: everything that is on disk of it, and nothing that is computed from its samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbench.design.spec.schema import Quantity
from archbench.errors import ResultsError
from archbench.runs.find import find_run
from archbench.runs.records import UNFINISHED, Block, Key, Record, line_as_json
from archbench.runs.store import RunFolder
from archbench.text import visible


@dataclass(frozen=True)
class StoredRun:
    """A run as it is stored. `records` are in the spec's order, one a (variant, replica); without one it is `not reached`."""

    folder: RunFolder
    records: tuple[Record, ...]
    blocks: tuple[Block, ...]
    called: str = ""  # how a person named it, where the folder is gone once it was read

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The content of run.json."""
        return self.folder.manifest

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def place(self) -> str:
        """Where the run is found again: its folder, or its revision of one."""
        return self.called or str(self.folder.path)

    @property
    def quantity(self) -> Quantity:
        return planned_quantity(self.manifest)

    @property
    def device(self) -> str:
        return str(self.manifest["environment"]["device"])

    @property
    def synchronous(self) -> bool:
        """Whether the host's time of a call is the device's too."""
        return self.device == "cpu"

    @property
    def has_budget(self) -> bool:
        """Whether the run had a time budget, and so stopped by the width of its own intervals."""
        return self.manifest["budget_s"] is not None

    @property
    def compares(self) -> bool:
        """Whether two specs were measured against each other."""
        return self.manifest.get("against") is not None

    @property
    def complete(self) -> bool:
        """Whether every variant was priced or measured."""
        return not any(record.status in UNFINISHED for record in self.records)

    @property
    def reference(self) -> Key | None:
        return next((record.key for record in self.records if record.reference), None)

    @property
    def failed_keys(self) -> frozenset[Key]:
        return failed_keys(self.records)

    @property
    def records_json(self) -> list[dict[str, object]]:
        """Every record as plain data, with its id and status."""
        return [line_as_json(record) for record in self.records]


def read_folder(folder: RunFolder, called: str = "") -> StoredRun:
    """Everything in a run's folder. Raises ResultsError where a line is damaged or a record's variant was never planned."""
    finished = {record.key: record for record in folder.records()}
    records = tuple(finished.pop(record.key, record) for record in folder.planned_records())
    folder.refuse_strangers(finished.values())
    return StoredRun(folder, records, folder.blocks(), called)


def read_stored_run(run: str | Path, results: str | Path = "results") -> StoredRun:
    """A stored run by its folder, `SPEC/@latest` or id. Raises ResultsError with the way out."""
    return read_folder(find_run(Path(results), str(run)))


def read_stored_runs(runs: Sequence[str], results: str | Path) -> list[StoredRun]:
    """Several stored runs. Raises ResultsError where two are one: its columns would stand twice."""
    found = [read_stored_run(run, results) for run in runs]
    first_named: dict[Path, str] = {}
    for text, run in zip(runs, found, strict=True):
        place = run.folder.path.resolve()
        if place in first_named:
            raise ResultsError(
                f"{visible(first_named[place], 200)} and {visible(text, 200)} are the same run, "
                f"{visible(str(place), 1000)}; name it once"
            )
        first_named[place] = text
    return found


def planned_quantity(manifest: Mapping[str, Any]) -> Quantity:
    """The quantity that `latency_ms` is in a run; a plan older than the choice means request."""
    quantity: Quantity = manifest["plan"].get("quantity", "request")
    return quantity


def failed_keys(records: Iterable[Record]) -> frozenset[Key]:
    return frozenset(record.key for record in records if record.status == "failed")
