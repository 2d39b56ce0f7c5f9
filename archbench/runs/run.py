"""Stored runs by what a person calls them (a folder, an id, `SPECNAME/@latest`, `@latest`), and each read from its folder.

A stored run is everything that is on disk of it, and nothing that is computed from its samples. None is passed over unsaid.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archbench.design.spec.schema import Quantity
from archbench.errors import ResultsError
from archbench.runs.records import UNFINISHED, Block, Key, Record, line_as_json
from archbench.runs.store import RUN, RunFolder, folder_name, quote_path
from archbench.text import visible
from archbench.units import NS_PER_S

LATEST = "@latest"


@dataclass(frozen=True)
class StoredRun:
    """A run as it is stored. `records` are in the spec's order, one a (variant, replica); without one it is `not reached`."""

    folder: RunFolder
    manifest: Mapping[str, Any]  # the content of run.json
    records: tuple[Record, ...]
    blocks: tuple[Block, ...]
    name: str
    place: str  # where it is found again: its folder, or its revision of one
    quantity: Quantity  # which `latency_ms` is
    device: str
    is_synchronous: bool  # the host's time of a call is the device's too
    has_budget: bool  # of time, so that it stopped by the width of its own intervals
    is_comparison: bool  # of two specs, measured against each other
    is_complete: bool  # every variant was priced or measured
    reference: Key | None
    failed_keys: frozenset[Key]

    @property
    def records_json(self) -> list[dict[str, object]]:
        """Every record as plain data, with its id and status."""
        return [line_as_json(record) for record in self.records]


def read_folder(folder: RunFolder, called: str = "") -> StoredRun:
    """Read everything in a run's folder, `called` otherwise by a person where that is gone once it was read.

    Raises ResultsError where a line is damaged or a record's variant was never planned.
    """
    finished = {record.key: record for record in folder.records()}
    records = tuple(finished.pop(record.key, record) for record in folder.planned_records())
    folder.refuse_strangers(finished.values())
    manifest = folder.manifest
    device = str(manifest["environment"]["device"])
    return StoredRun(
        folder,
        manifest,
        records,
        folder.blocks(),
        name=str(manifest["name"]),
        place=called or str(folder.path),
        quantity=planned_quantity(manifest),
        device=device,
        is_synchronous=device == "cpu",
        has_budget=manifest["budget_s"] is not None,
        is_comparison=manifest.get("against") is not None,
        is_complete=not any(record.status in UNFINISHED for record in records),
        reference=next((record.key for record in records if record.reference), None),
        failed_keys=failed_keys(records),
    )


def read_stored_run(run: str | Path, results: str | Path = "results") -> StoredRun:
    """Read a stored run by its folder, `SPEC/@latest` or id. Raises ResultsError with the way out."""
    return read_folder(find_run(Path(results), str(run)))


def read_stored_runs(runs: Sequence[str], results: str | Path) -> list[StoredRun]:
    """Read several stored runs. Raises ResultsError where two are one: its columns would stand twice."""
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


@dataclass(frozen=True)
class FoundRun:
    """A folder with a run.json, and the run, or the reason why it does not open."""

    path: Path
    run: RunFolder | None
    damage: ResultsError | None = None

    @property
    def age(self) -> tuple[float, str]:
        """The time at which the run began, then its name.

        A run that does not open began by the end of its id's second; where the id tells none, it may be the newest of all,
        so that nothing older is taken for it.
        """
        began = self.run.manifest["created_ns"] if self.run else _end_of_second(self.path.name)
        return began, self.path.name

    def require_run(self) -> RunFolder:
        """The run that was found. Raises ResultsError where it does not open."""
        if self.run is None:
            raise ResultsError(
                f"{self.damage}; no older run stands in for it: name one, or move {quote_path(self.path)} away"
            )
        return self.run


def list_stored_runs(results: Path) -> tuple[FoundRun, ...]:
    """Every folder where a run is stored, newest last, those that do not open too."""
    return _open_all(results.glob("*/*"))


def find_newest(results: Path, name: str) -> RunFolder | None:
    """The newest run of the spec called `name` that opens, to go on with; null where there is none."""
    runs = [each.run for each in _open_all((results / folder_name(name)).glob("*")) if each.run]
    return next((run for run in reversed(runs) if run.manifest["name"] == name), None)


def find_run(results: Path, text: str) -> RunFolder:
    """The run a person means: its folder, its id, `SPECNAME/@latest`, or `@latest` for the newest of all.

    Raises ResultsError with the way out where there is none, or where it is damaged.
    """
    found = _find_latest(results, text) if text.split("/")[-1] == LATEST else _find_by_name(results, text)
    if found is None:
        raise ResultsError(
            f"{visible(text)}: there is no such run in {quote_path(results)}; `archbench list runs` shows what there "
            f"is, -o DIR looks elsewhere"
        )
    return found


def _find_latest(results: Path, text: str) -> RunFolder | None:
    """The newest of all, of a folder, or of a spec by its name or the folder for it."""
    name = text.removesuffix(LATEST).rstrip("/")
    if not name:
        return _newest_of(list_stored_runs(results))
    of_spec = [
        each
        for each in _list_inside(results / folder_name(name))
        if each.run is None or each.run.manifest["name"] == name
    ]
    return _newest_of(_list_inside(Path(name))) or _newest_of(of_spec) or _newest_of(_list_inside(results / name))


def _newest_of(found: Sequence[FoundRun]) -> RunFolder | None:
    return found[-1].require_run() if found else None


def _list_inside(folder: Path) -> tuple[FoundRun, ...]:
    return _open_all(folder.glob("*")) if os.path.isdir(folder) else ()  # results/fpn_sweep/@latest


def _open_all(folders: Iterable[Path]) -> tuple[FoundRun, ...]:
    return tuple(
        sorted((_open_found(path) for path in folders if os.path.exists(path / RUN)), key=lambda each: each.age)
    )


def _find_by_name(results: Path, text: str) -> RunFolder | None:
    candidates = [Path(text), results / text]
    if folder_name(text) == text:  # an id, not a pattern or a path
        candidates += sorted(results.glob(f"*/{text}"))
    return next((RunFolder.open(path) for path in candidates if os.path.exists(path / RUN)), None)


def _open_found(path: Path) -> FoundRun:
    try:
        return FoundRun(path, RunFolder.open(path))
    except ResultsError as error:
        return FoundRun(path, None, error)


def _end_of_second(identifier: str) -> float:
    """The last moment at which a run of this id can have begun; infinite where it is not one of ours."""
    try:
        began = datetime.strptime(identifier[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return math.inf
    return (began.timestamp() + 1) * NS_PER_S - 1
