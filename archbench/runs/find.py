"""Stored runs by what a person calls them: a folder, an id, `SPECNAME/@latest`, `@latest`. None is passed over unsaid."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archbench.errors import ResultsError
from archbench.runs.store import RUN, RunFolder, quote_path, slug
from archbench.text import visible
from archbench.units import NS_PER_S

LATEST = "@latest"


@dataclass(frozen=True)
class FoundRun:
    """A folder with a run.json: the run, or why it does not open."""

    path: Path
    run: RunFolder | None
    damage: ResultsError | None = None

    @property
    def age(self) -> tuple[float, str]:
        """When it began, then its name. What does not open has the end of its id's second, or where that tells none, no end:
        it may be the newest, and then nothing older is taken for it."""
        began = self.run.manifest["created_ns"] if self.run else _end_of_second(self.path.name)
        return began, self.path.name

    def opened(self) -> RunFolder:
        """The run. Raises ResultsError where it does not open."""
        if self.run is None:
            raise ResultsError(
                f"{self.damage}; no older run stands in for it: name one, or move {quote_path(self.path)} away"
            )
        return self.run


def list_stored(results: Path) -> tuple[FoundRun, ...]:
    """Every folder where a run is stored, newest last, those that do not open too."""
    return _open_all(results.glob("*/*"))


def find_newest(results: Path, name: str) -> RunFolder | None:
    """The newest run of the spec called `name` that opens, to go on with; null where there is none."""
    runs = [each.run for each in _open_all((results / slug(name)).glob("*")) if each.run]
    return next((run for run in reversed(runs) if run.manifest["name"] == name), None)


def find_run(results: Path, text: str) -> RunFolder:
    """The run a person means: its folder, its id, `SPECNAME/@latest`, or `@latest` for the newest of all.

    Raises ResultsError with the way out where there is none, or where it is damaged.
    """
    found = _find_latest(results, text) if text.split("/")[-1] == LATEST else _find_named(results, text)
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
        return _newest_of(list_stored(results))
    of_spec = [
        each for each in _list_inside(results / slug(name)) if each.run is None or each.run.manifest["name"] == name
    ]
    return _newest_of(_list_inside(Path(name))) or _newest_of(of_spec) or _newest_of(_list_inside(results / name))


def _newest_of(found: Sequence[FoundRun]) -> RunFolder | None:
    return found[-1].opened() if found else None


def _list_inside(folder: Path) -> tuple[FoundRun, ...]:
    return _open_all(folder.glob("*")) if os.path.isdir(folder) else ()  # results/fpn_sweep/@latest


def _open_all(folders: Iterable[Path]) -> tuple[FoundRun, ...]:
    return tuple(
        sorted((_open_found(path) for path in folders if os.path.exists(path / RUN)), key=lambda each: each.age)
    )


def _find_named(results: Path, text: str) -> RunFolder | None:
    candidates = [Path(text), results / text]
    if slug(text) == text:  # an id, not a pattern or a path
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
