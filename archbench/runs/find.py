"""Stored runs by what a person calls them: a folder, an id, `SPECNAME/@latest`, `@latest`. None is passed over unsaid."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archbench.errors import ResultsError
from archbench.runs.store import RUN, RunFolder, shown_path, slug
from archbench.text import visible
from archbench.units import NS_PER_S

LATEST = "@latest"


@dataclass(frozen=True)
class Found:
    """A folder with a run.json: the run, or why it does not open."""

    path: Path
    run: RunFolder | None
    damage: ResultsError | None = None

    @property
    def age(self) -> tuple[float, str]:
        """When it began, then its name. What does not open has the end of its id's second, or where that tells none, no end:
        it may be the newest, and then nothing older is taken for it."""
        began = self.run.header["created_ns"] if self.run else _end_of_second(self.path.name)
        return began, self.path.name

    def opened(self) -> RunFolder:
        """The run. Raises ResultsError where it does not open."""
        if self.run is None:
            raise ResultsError(
                f"{self.damage}; no older run stands in for it: name one, or move {shown_path(self.path)} away"
            )
        return self.run


def stored(results: Path) -> tuple[Found, ...]:
    """Every folder where a run is stored, newest last, those that do not open too."""
    return _sorted(results.glob("*/*"))


def newest(results: Path, name: str) -> RunFolder | None:
    """The newest run of the spec called `name` that opens, to go on with; null where there is none."""
    runs = [each.run for each in _sorted((results / slug(name)).glob("*")) if each.run]
    return next((run for run in reversed(runs) if run.header["name"] == name), None)


def find(results: Path, text: str) -> RunFolder:
    """The run a person means: its folder, its id, `SPECNAME/@latest`, or `@latest` for the newest of all.

    Raises ResultsError with the way out where there is none, or where it is damaged.
    """
    found = _latest(results, text) if text.split("/")[-1] == LATEST else _named(results, text)
    if found is None:
        raise ResultsError(
            f"{visible(text)}: there is no such run in {shown_path(results)}; `archbench list runs` shows what there "
            f"is, -o DIR looks elsewhere"
        )
    return found


def _latest(results: Path, text: str) -> RunFolder | None:
    """The newest of all, of a folder, or of a spec by its name or the folder for it."""
    name = text.removesuffix(LATEST).rstrip("/")
    if not name:
        return _last(stored(results))
    of_spec = [each for each in _inside(results / slug(name)) if each.run is None or each.run.header["name"] == name]
    return _last(_inside(Path(name))) or _last(of_spec) or _last(_inside(results / name))


def _last(found: Sequence[Found]) -> RunFolder | None:
    return found[-1].opened() if found else None


def _inside(folder: Path) -> tuple[Found, ...]:
    return _sorted(folder.glob("*")) if os.path.isdir(folder) else ()  # results/fpn_sweep/@latest


def _sorted(folders: Iterable[Path]) -> tuple[Found, ...]:
    return tuple(sorted((_opened(path) for path in folders if os.path.exists(path / RUN)), key=lambda each: each.age))


def _named(results: Path, text: str) -> RunFolder | None:
    candidates = [Path(text), results / text]
    if slug(text) == text:  # an id, not a pattern or a path
        candidates += sorted(results.glob(f"*/{text}"))
    return next((RunFolder.open(path) for path in candidates if os.path.exists(path / RUN)), None)


def _opened(path: Path) -> Found:
    try:
        return Found(path, RunFolder.open(path))
    except ResultsError as error:
        return Found(path, None, error)


def _end_of_second(identifier: str) -> float:
    """The last moment at which a run of this id can have begun; infinite where it is not one of ours."""
    try:
        began = datetime.strptime(identifier[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return math.inf
    return (began.timestamp() + 1) * NS_PER_S - 1
