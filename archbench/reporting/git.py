"""What git says of this repository. Nothing is checked out or changed."""

from __future__ import annotations

import subprocess

from archbench.design.document import visible
from archbench.errors import ResultsError

SECONDS = 60


def ask_git(about: str, *arguments: str) -> bytes:
    """What git prints. Raises ResultsError, beginning with what it was asked about, with git's own reason."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise ResultsError(f"{visible(about, 200)}: git does not answer ({error})") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[0] or "no such revision"
        raise ResultsError(f"{visible(about, 200)}: not to be read from git here: {visible(said, 200)}")
    return done.stdout
