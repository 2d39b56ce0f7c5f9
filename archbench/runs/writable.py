"""A file that a command is told to write, looked at before it spends minutes."""

from __future__ import annotations

import os
from pathlib import Path

from archbench.errors import CannotMeasure
from archbench.text import visible


def check_writable(option: str, path: Path) -> None:
    """Raises CannotMeasure, naming the option, where the file could not be put."""
    shown = f"{option} {visible(str(path), 1000)}"
    if path.exists() and not path.is_file():
        raise CannotMeasure(f"{shown}: not a regular file; name another")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotMeasure(f"{shown}: its folder cannot be written; name a file in one that can")
