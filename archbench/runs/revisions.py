"""The run a person means in a comparison: on disk, or as it was committed at a git revision.

  FOLDER, FILE, ID, SPEC/@latest, @latest    see `run.py`; a file of a run's folder stands for its folder
  git:REV                                    the newest run in the results folder as it was at REV
  git:REV:RUN                                that run there: `git:main:baseline/fpn_sweep/@latest`, `git:v1:ID`
A revision is read into a temporary folder; nothing is checked out, and nothing in it runs.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import tempfile
from pathlib import Path

from archbench.errors import ResultsError
from archbench.runs.git import ask_git
from archbench.runs.run import LATEST, StoredRun, find_run, read_folder
from archbench.runs.store import FILES, folder_name
from archbench.text import visible

GIT = "git:"
REVISION = re.compile(r"[A-Za-z0-9_@^~./{}+-]{1,200}", re.ASCII)


def open_side(text: str, results: Path) -> StoredRun:
    """The run behind `text`, read. Raises ResultsError where there is none, or where it is damaged."""
    if text.startswith(GIT):
        return _read_revision(text, results)
    path = Path(text)
    return read_folder(find_run(results, str(path.parent) if path.name in FILES and path.is_file() else text))


def _read_revision(text: str, results: Path) -> StoredRun:
    """A run of the results folder as it was at a revision."""
    revision, _, wanted = text.removeprefix(GIT).partition(":")
    revision = _check_revision(text, revision)
    top = _find_repository(text, results)
    below = os.path.relpath(results.resolve(), top)
    asked = "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"
    commit = ask_git(text, *asked, within=top).decode().strip()
    archive = ask_git(text, "archive", "--format=tar", commit, "--", below, within=top)
    with tempfile.TemporaryDirectory(prefix="archbench-") as folder:
        try:
            with tarfile.open(fileobj=io.BytesIO(archive)) as files:
                files.extractall(folder, filter="data")  # no link, device or path leads out of it
        except (tarfile.TarError, OSError) as error:
            raise ResultsError(f"{visible(text, 200)}: cannot be unpacked ({error})") from error
        within = Path(folder) / below
        for written in (below, os.path.relpath(results)):  # as it stands in the repository, or as it is typed here
            wanted = wanted.removeprefix(f"{written}/")
        try:
            return read_folder(find_run(within, _name_within(within, wanted or LATEST, text)), called=text)
        except ResultsError as error:  # by its place in the repository: where it was unpacked is gone
            said = str(error).replace(f"{folder}/", "").removeprefix(f"{visible(text, 200)}: ")
            raise ResultsError(f"{visible(text, 200)}: {said}") from error


def _find_repository(text: str, results: Path) -> Path:
    """The repository that the results folder is in, whether or not there is such a folder now."""
    there = next(folder for folder in (results.resolve(), *results.resolve().parents) if folder.is_dir())
    return Path(ask_git(text, "rev-parse", "--show-toplevel", within=there).decode().rstrip("\n"))


def _name_within(within: Path, name: str, text: str) -> str:
    """A text by which `find_run` finds a run below `within`, a path where there is one: the working tree is never searched."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ResultsError(f"{visible(text, 200)}: RUN of git:REV:RUN is a place in the results folder")
    if name != LATEST and (within / name.removesuffix(LATEST)).is_dir():
        return str(within / name)
    by_id = sorted(within.glob(f"*/{name}")) if folder_name(name) == name else []
    return str(by_id[0]) if by_id else name


def _check_revision(text: str, revision: str) -> str:
    if not REVISION.fullmatch(revision) or revision.startswith("-"):
        raise ResultsError(f"{visible(text, 200)}: not a git revision; write git:REV or git:REV:RUN, like git:main")
    return revision
