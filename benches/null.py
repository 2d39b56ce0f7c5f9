"""A real A/A on this machine: one network measured as two, ten times over, while another process keeps a core busy.

`python -m benches.null` prints each ratio with its interval and how many of the intervals hold 1 (about four minutes on two
cores). A 95 % interval that is what it says misses once in twenty.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import archbench

SPEC = """\
archbench: 1
name: null_{seed}
base: R-18-FPN
input: {{height: 128, width: 128}}
measure: {{device: cpu, threads: 1, replicas: 2, seed: {seed}}}
"""
BURN = "import os\nos.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\nwhile True: pass"


@contextmanager
def load_on_a_core() -> Iterator[None]:
    """A process that never rests, on the last core this one may use."""
    burner = subprocess.Popen([sys.executable, "-c", BURN])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()


def null(folder: Path, seed: int) -> tuple[float, float]:
    """The ratio of a network to itself, and the half-width of its interval as a share."""
    path = folder / f"null_{seed}.yaml"
    path.write_text(SPEC.format(seed=seed))
    table = archbench.run(archbench.read_spec(path), folder / "results").table()
    row = table[table["replica"] == 1].iloc[0]
    return float(row["ratio"]), float(row["ratio_half_width"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    held = 0
    with tempfile.TemporaryDirectory() as folder, load_on_a_core():
        for seed in range(runs):
            ratio, width = null(Path(folder), seed)
            inside = ratio / (1 + width) <= 1 <= ratio * (1 + width)
            held += inside
            print(f"{ratio:.4f}x ±{width:.1%}  {'holds 1' if inside else 'misses 1'}", flush=True)
    print(f"{held} of {runs} hold 1")


if __name__ == "__main__":
    main()
