"""The one reader of git: what it says of a repository. Nothing is checked out or changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from archbench.errors import ResultsError
from archbench.text import visible

SECONDS = 60  # that git may take to answer


def ask_git(about: str, *arguments: str, within: Path | None = None) -> bytes:
    """The output of git, started in a folder of the repository (by default the working folder).

    Raises ResultsError, beginning with what it was asked about, with git's own reason.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=within, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise ResultsError(f"{visible(about, 200)}: git does not answer ({error})") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[0] or "no such revision"
        raise ResultsError(f"{visible(about, 200)}: not to be read from git here: {visible(said, 200)}")
    return done.stdout
