"""A run's derived files, written by a process of their own, whose argument is its folder."""

from __future__ import annotations

import sys
from pathlib import Path

from archbench.reporting.stored_run import Run
from archbench.runs.store import RunFolder

if __name__ == "__main__":
    Run(RunFolder.open(Path(sys.argv[1]))).write()
